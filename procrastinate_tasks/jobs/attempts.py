"""What one attempt of a job came to: its return value or its error, ready to be stored."""

from __future__ import annotations

import asyncio
import hashlib
import logging
import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice
from types import FrameType, TracebackType
from typing import Any

from procrastinate.exceptions import JobAborted
from procrastinate.job_context import AbortReason
from procrastinate.jobs import Job

from procrastinate_tasks.jobs.redaction import Redaction
from procrastinate_tasks.jobs.task_options import find_options
from procrastinate_tasks.jobs.values import (
    cannot_be_shown,
    encode_value,
    holds_much,
    name_of,
    no_queries,
    text_of,
)

logger = logging.getLogger(__name__)

_LONGEST_TRACEBACK = 20_000


_LONGEST_MESSAGE = 2_000


_LONGEST_PIECE = 4_000


_MOST_FRAMES = 150


_MOST_TOLD = 20  # errors: of a long story itself, and the first few of its group
_MOST_MEMBERS = 5


_MACHINERY = ("procrastinate", "procrastinate_tasks", "asgiref", "asyncio", "concurrent", "contextvars")


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """An exception as it is stored: arguments, e-mail addresses and card numbers are redacted."""

    exception_class: str
    message: str
    traceback: str
    fingerprint: str


def was_stopped(error: BaseException, *, abort_reason: AbortReason | None) -> bool:
    """Tell whether a run ended because it was asked to stop.

    A cancellation that nobody asked for comes from a library: a failure like any other.
    """
    if isinstance(error, asyncio.CancelledError):
        return abort_reason is not None
    return isinstance(error, JobAborted)


def encode_result(value: object, *, max_bytes: int) -> str:
    """Return ``value`` as JSON that Postgres accepts; what JSON cannot hold is stored as its ``repr``."""
    return encode_value(
        value, max_bytes=max_bytes, too_long="({size} bytes: more than PROCRASTINATE_TASKS_MAX_RESULT_BYTES)"
    )


def describe_failure(exception: BaseException, *, job: Job) -> Failure:
    """Describe an exception for storage, with the job's arguments redacted except the task's log fields.

    It raises nothing: an error that cannot be printed still ends its job.
    """
    options = find_options(job.task_name)
    redaction = Redaction(arguments=job.task_kwargs, visible=options.log_fields if options else ())

    def clean(text: str, longest: int) -> str:
        return storable(redaction.apply(text, longest=longest))

    return Failure(
        exception_class=_unless_it_raises(lambda: storable(_class_of(exception))[:200], "unknown"),
        message=_unless_it_raises(lambda: clean(text_of(exception), _LONGEST_MESSAGE)),
        traceback=_unless_it_raises(lambda: _describe_traceback(exception, clean)),
        fingerprint=_unless_it_raises(lambda: _fingerprint(exception), ""),
    )


def _unless_it_raises(describe: Callable[[], str], instead: str = "(it cannot be shown)") -> str:
    """Describe a part of an error; what its class does meanwhile, even exit, keeps no job from ending."""
    try:
        return describe()
    except BaseException as fault:
        logger.warning("Part of an error could not be described: %s", name_of(type(fault)))
        return instead


def _class_of(exception: BaseException) -> str:
    exception_type = type(exception)
    return f"{exception_type.__module__}.{exception_type.__qualname__}"


def storable(text: str) -> str:
    """Return text without what Postgres refuses."""
    return text.replace("\x00", "").encode("utf-8", "replace").decode()


def _describe_traceback(exception: BaseException, clean: Callable[[str, int], str]) -> str:
    """Format a traceback; a piece of it may be as long as the message, and is shortened by itself."""
    pieces = _format_traceback(exception, clean)
    short = [piece if len(piece) <= _LONGEST_PIECE else clean(piece, _LONGEST_PIECE) for piece in pieces]
    return clean("".join(short), _LONGEST_TRACEBACK)


def _format_traceback(exception: BaseException, clean: Callable[[str, int], str]) -> Iterator[str]:
    """Format the last frames of an exception and of what led to it, unless that is a long description."""
    with no_queries():
        if _is_short_story(exception):
            tb = _traceback_from_task(exception.__traceback__)
            told = traceback.TracebackException(
                type(exception),
                exception,
                tb,
                limit=-_MOST_FRAMES,
                max_group_width=_MOST_MEMBERS,
                compact=True,
            )
            _shorten_sayings(told, clean)
            yield from told.format()
        else:
            yield from _tell_shortly(exception)


def _shorten_sayings(told: Any, clean: Callable[[str, int], str]) -> None:
    """Bound what each error says, and its notes: Python would look at every line of theirs."""
    waiting = [told]
    for each in waiting:
        if len(each._str) > _LONGEST_PIECE:
            each._str = clean(each._str, _LONGEST_PIECE)
        if each.__notes__ is not None:
            each.__notes__ = [clean(note, _LONGEST_PIECE) for note in _first_notes(each.__notes__)]
        causes = (each.__cause__, each.__context__, *(each.exceptions or ()))
        waiting += [cause for cause in causes if cause is not None]


def _first_notes(notes: object) -> list[str]:
    """Return the first notes of an error, and no other kind of thing that its attribute may hold."""
    if type(notes) is not list:
        return [cannot_be_shown(notes)]
    return [note if type(note) is str else cannot_be_shown(note) for note in islice(notes, _MOST_TOLD)]


def _is_short_story(exception: BaseException) -> bool:
    """Tell whether Python's description of it is short, which follows each way to each error in it."""
    waiting = [exception]
    for _ in range(_MOST_TOLD):
        if not waiting:
            return True
        error = waiting.pop()
        if holds_much(error):
            return False
        waiting += _members_of(error)[: _MOST_TOLD + 1]
        waiting += [each for each in (error.__cause__, error.__context__) if each is not None]
    return not waiting


def _tell_shortly(exception: BaseException) -> Iterator[str]:
    """Tell an error without what led to it; of a group, the first errors in it."""
    members = _members_of(exception)
    for error in (exception, *members[:_MOST_MEMBERS]):
        yield "Traceback (most recent call last):\n"
        yield from traceback.format_tb(_traceback_from_task(error.__traceback__), limit=-_MOST_FRAMES)
        yield f"{_class_of(error).removeprefix('builtins.')}: {text_of(error)}\n"
    if len(members) > _MOST_MEMBERS:
        yield f"(and {len(members) - _MOST_MEMBERS} more in the group)\n"


def _members_of(error: BaseException) -> tuple[BaseException, ...]:
    return error.exceptions if issubclass(type(error), BaseExceptionGroup) else ()  # type: ignore[attr-defined]


def _traceback_from_task(tb: TracebackType | None) -> TracebackType | None:
    """Drop the frames of the machinery that called the task; keep all if there is nothing else."""
    inner = tb
    while inner is not None and _is_machinery(inner.tb_frame):
        inner = inner.tb_next
    return inner or tb


def _is_machinery(frame: FrameType) -> bool:
    return str(frame.f_globals.get("__name__", "")).split(".")[0] in _MACHINERY


def _fingerprint(exception: BaseException) -> str:
    """Hash where the exception came from: the same fault has the same fingerprint in every job."""
    places = [
        f"{frame.f_globals.get('__name__')}.{frame.f_code.co_qualname}"
        for frame in _frames(exception.__traceback__)
        if not _is_machinery(frame)
    ]
    identity = "\n".join([_class_of(exception), *places[-5:]])
    return hashlib.sha256(identity.encode("utf-8", "replace")).hexdigest()[:16]


def _frames(tb: TracebackType | None) -> Iterator[FrameType]:
    while tb is not None:
        yield tb.tb_frame
        tb = tb.tb_next
