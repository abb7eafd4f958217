"""What one attempt of a job came to: its return value or its error, ready to be stored."""

from __future__ import annotations

import hashlib
import json
import traceback
from collections.abc import Iterator
from dataclasses import dataclass
from types import FrameType, TracebackType

from django.db.models import TextChoices
from django.utils.translation import gettext_lazy as _
from procrastinate.jobs import Job

from procrastinate_tasks import registry
from procrastinate_tasks.redaction import redact

_LONGEST_TRACEBACK = 20_000
_LONGEST_MESSAGE = 2_000
_MACHINERY = ("procrastinate", "procrastinate_tasks", "asgiref", "asyncio", "concurrent", "contextvars")


class Outcome(TextChoices):
    """How an attempt ended."""

    SUCCEEDED = "succeeded", _("Succeeded")
    FAILED = "failed", _("Failed")
    RETRYING = "retrying", _("Failed, will be retried")
    SUPERSEDED = "superseded", _("Failed, left to the waiting job with its queueing lock")
    ABORTED = "aborted", _("Aborted")
    INTERRUPTED = "interrupted", _("Interrupted by a shutdown, runs again")
    CRASHED = "crashed", _("Its worker was lost, runs again")
    PARKED = "parked", _("Parked: its worker was lost too often")


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """An exception as it is stored: arguments, e-mail addresses and card numbers are redacted."""

    exception_class: str
    message: str
    traceback: str
    fingerprint: str


def encode_result(value: object, *, max_bytes: int) -> str:
    """Return ``value`` as JSON that Postgres accepts; what JSON cannot hold is stored as its ``repr``."""
    try:
        text = json.dumps(value, ensure_ascii=False, allow_nan=False)
    except (TypeError, ValueError):
        text = json.dumps(repr(value), ensure_ascii=False)
    encoded = text.encode("utf-8", "replace")
    if len(encoded) > max_bytes:
        return json.dumps(f"({len(encoded)} bytes: more than PROCRASTINATE_TASKS_MAX_RESULT_BYTES)")
    return encoded.decode().replace("\\u0000", "\\ufffd")


def describe_failure(exception: BaseException, *, job: Job) -> Failure:
    """Describe an exception for storage, with the job's arguments redacted except the task's log fields."""
    options = registry.find_options(job.task_name)
    visible = options.log_fields if options else ()

    def clean(text: str) -> str:
        text = redact(text, arguments=job.task_kwargs, visible=visible)
        return text.replace("\x00", "").encode("utf-8", "replace").decode()

    exception_type = type(exception)
    tb = _traceback_from_task(exception.__traceback__)
    lines = "".join(traceback.format_exception(exception_type, exception, tb))
    return Failure(
        exception_class=f"{exception_type.__module__}.{exception_type.__qualname__}"[:200],
        message=_shorten(clean(str(exception)), _LONGEST_MESSAGE),
        traceback=_shorten(clean(lines), _LONGEST_TRACEBACK),
        fingerprint=_fingerprint(exception),
    )


def _shorten(text: str, longest: int) -> str:
    if len(text) <= longest:
        return text
    half = longest // 2
    return f"{text[:half]}\n[… {len(text) - 2 * half} characters left out …]\n{text[-half:]}"


def _traceback_from_task(tb: TracebackType | None) -> TracebackType | None:
    """Drop the frames of the machinery that called the task; keep all if there is nothing else."""
    inner = tb
    while inner is not None and _is_machinery(inner.tb_frame):
        inner = inner.tb_next
    return inner or tb


def _is_machinery(frame: FrameType) -> bool:
    module: str = frame.f_globals.get("__name__", "")
    return module.split(".")[0] in _MACHINERY


def _fingerprint(exception: BaseException) -> str:
    """Hash where the exception came from: the same fault has the same fingerprint in every job."""
    exception_type = type(exception)
    places = [
        f"{frame.f_globals.get('__name__')}.{frame.f_code.co_qualname}"
        for frame in _frames(exception.__traceback__)
        if not _is_machinery(frame)
    ]
    identity = "\n".join([f"{exception_type.__module__}.{exception_type.__qualname__}", *places[-5:]])
    return hashlib.sha256(identity.encode()).hexdigest()[:16]


def _frames(tb: TracebackType | None) -> Iterator[FrameType]:
    while tb is not None:
        yield tb.tb_frame
        tb = tb.tb_next
