"""Log formatters (logfmt and JSON) and a ``LOGGING`` setting that uses them."""

from __future__ import annotations

import json
import logging
from datetime import UTC, datetime
from typing import Any, Literal

from procrastinate_tasks.jobs.redaction import Redaction

_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}
_HIDDEN = frozenset({"job", "jobs", "kwargs", "worker", "result_object"})


def fields_of_record(record: logging.LogRecord) -> dict[str, object]:
    """Return what a line says: time, level, logger, message, then the record's plain extras.

    Procrastinate's extras that hold whole jobs are left out: they carry the jobs' arguments.
    """
    extras = {
        name: value
        for name, value in vars(record).items()
        if name not in _STANDARD and name not in _HIDDEN and value is not None
    }
    fields = {
        "at": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
        "level": record.levelname.lower(),
        "logger": record.name,
        "message": record.getMessage(),
        **extras,
    }
    return fields


class JsonFormatter(logging.Formatter):
    """One JSON object a line."""

    def format(self, record: logging.LogRecord) -> str:
        fields = fields_of_record(record)
        if record.exc_info and record.exc_info[0]:
            fields["traceback"] = _redact(self.formatException(record.exc_info))
        return json.dumps(fields, default=str, ensure_ascii=False)


class LogfmtFormatter(logging.Formatter):
    """``key=value`` pairs on one line; a traceback follows on lines of its own."""

    def format(self, record: logging.LogRecord) -> str:
        line = " ".join(f"{name}={_logfmt(value)}" for name, value in fields_of_record(record).items())
        if record.exc_info and record.exc_info[0]:
            return f"{line}\n{_redact(self.formatException(record.exc_info))}"
        return line


def _redact(traceback: str) -> str:
    """What others raise may quote what was given to them: an address, a card, a key."""
    return Redaction(arguments={}).apply(traceback)


def _logfmt(value: object) -> str:
    text = str(value)
    if text and not any(character in text for character in ' "=\n\r\t'):
        return text
    return json.dumps(text, ensure_ascii=False)


class ProcrastinateFilter(logging.Filter):
    """Drops the lines of Procrastinate's worker that ours replace, and every extra that holds arguments."""

    _REPLACED = frozenset(
        {"start_job", "job_success", "job_aborted", "job_aborted_retry", "job_error_retry", "job_error"}
    )

    def filter(self, record: logging.LogRecord) -> bool:
        for name in _HIDDEN & vars(record).keys():
            delattr(record, name)
        return getattr(record, "action", None) not in self._REPLACED


class ProbeFilter(logging.Filter):
    """Drops what Django says about a probe that was answered with an error: the probe itself tells it."""

    def filter(self, record: logging.LogRecord) -> bool:
        match = getattr(getattr(record, "request", None), "resolver_match", None)
        return match is None or match.app_name != "monitoring"


class EmptyTracebackFilter(logging.Filter):
    """Drops a traceback of nothing: Django's Tasks log a failure where no exception is being handled here."""

    def filter(self, record: logging.LogRecord) -> bool:
        if record.exc_info and record.exc_info[0] is None:
            record.exc_info = None
        return True


def hide_arguments_in_procrastinate_logs() -> None:
    """Put filters, once, on the loggers of Procrastinate that name whole jobs, and on Django's Tasks'."""
    for name in ("django_tasks", "django.tasks"):
        _put_on(logging.getLogger(name), EmptyTracebackFilter)
    for name in (
        "procrastinate.jobs",
        "procrastinate.periodic",
        "procrastinate.worker",
        "procrastinate.worker.worker",
    ):
        _put_on(logging.getLogger(name), ProcrastinateFilter)


def _put_on(logger: logging.Logger, kind: type[logging.Filter]) -> None:
    if not any(isinstance(known, kind) for known in logger.filters):
        logger.addFilter(kind())


def logging_config(*, style: Literal["logfmt", "json"] = "logfmt", level: str = "INFO") -> dict[str, Any]:
    """Return a ``LOGGING`` setting: everything from ``level`` up on standard error, in one style.

    Records made inside a job carry ``job_id``, ``task``, ``queue``, ``attempt`` and the task's
    ``log_fields``.
    """
    formatter = JsonFormatter if style == "json" else LogfmtFormatter
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "filters": {
            "job": {"()": "procrastinate_tasks.jobs.log_context.JobContextFilter"},
            "probes": {"()": f"{ProbeFilter.__module__}.{ProbeFilter.__qualname__}"},
        },
        "formatters": {"line": {"()": f"{formatter.__module__}.{formatter.__qualname__}"}},
        "handlers": {
            "console": {"class": "logging.StreamHandler", "formatter": "line", "filters": ["job"]},
        },
        "root": {"handlers": ["console"], "level": level},
        "loggers": {
            "procrastinate.periodic": {"level": "WARNING"},
            "django.request": {"filters": ["probes"]},
        },
    }
