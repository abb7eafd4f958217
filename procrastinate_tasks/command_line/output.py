"""How ``manage.py jobs`` prints and exits: tables for people, JSON and codes for scripts, never a colour."""

from __future__ import annotations

import dataclasses
import json
import os
import shutil
import sys
from argparse import ArgumentParser
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import IntEnum
from typing import Any
from uuid import UUID

from django.core.management.base import CommandError, OutputWrapper
from django.utils import timezone
from django.utils.functional import Promise
from django.utils.translation import gettext as _

from procrastinate_tasks.actions.policies import Refusal
from procrastinate_tasks.actions.reports import TargetReport
from procrastinate_tasks.models import ActionOutcome

_NOTHING = "-"
_GAP = "  "
_NARROWEST = 6


@dataclasses.dataclass(frozen=True, slots=True)
class Output:
    """Where a verb prints, and in which of the two forms."""

    stream: OutputWrapper
    as_json: bool = False
    width: int | None = None
    """How many columns a table may take; none: as many as it needs."""

    def line(self, text: str = "") -> None:
        self.stream.write(text)

    def table(self, headings: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
        """Print columns as wide as their widest value; where that is too wide, the widest are cut short."""
        lines = [tuple(headings), *(tuple(cell(value) for value in row) for row in rows)]
        widths = [max(len(line[column]) for line in lines) for column in range(len(headings))]
        if self.width is not None:
            widths = fitted(widths, room=self.width - len(_GAP) * (len(widths) - 1))
        for line in lines:
            padded = (shortened(text, width).ljust(width) for text, width in zip(line, widths, strict=True))
            self.line(_GAP.join(padded).rstrip())

    def facts(self, facts: Iterable[tuple[str, object]]) -> None:
        """Print names and values below each other; a value that is missing is left out."""
        known = [(name, cell(value)) for name, value in facts if value not in (None, "")]
        width = max((len(name) for name, _value in known), default=0)
        for name, value in known:
            self.line(f"{name.ljust(width)}  {value}")

    def json(self, value: object) -> None:
        self.line(json.dumps(plain(value), indent=2, ensure_ascii=False))

    def json_lines(self, values: Iterable[object]) -> None:
        for value in values:
            self.line(json.dumps(plain(value), ensure_ascii=False))


def fitted(widths: Sequence[int], *, room: int) -> list[int]:
    """Return widths that fit the room, taken from the widest; none gets less than can be read."""
    narrower = list(widths)
    while sum(narrower) > room and max(narrower) > _NARROWEST:
        narrower[narrower.index(max(narrower))] -= 1
    return narrower


def shortened(text: str, width: int) -> str:
    """Return a text that fits; what was cut off is marked."""
    return text if len(text) <= width else text[: width - 1] + "…"


def width_of(stream: OutputWrapper) -> int | None:
    """Return the columns of the terminal that a stream writes to; none for a file or a pipe."""
    return shutil.get_terminal_size().columns if stream.isatty() else None


@contextmanager
def reader_may_leave(stream: OutputWrapper) -> Iterator[None]:
    """End quietly when whoever reads has had enough, as ``| head`` has."""
    try:
        try:
            yield
        finally:
            stream.flush()
    except BrokenPipeError:
        # What is still buffered would be written, and refused, once more as the interpreter ends.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(ExitCode.READER_LEFT)


def cell(value: object) -> str:
    """Return a value on one line: times in the project's zone, line breaks as spaces."""
    if value is None or value == "":
        return _NOTHING
    if isinstance(value, datetime):
        return timezone.localtime(value).strftime("%Y-%m-%d %H:%M:%S")
    if isinstance(value, timedelta):
        return f"{value.total_seconds():.1f} s"
    return " ".join(str(value).split())


def plain(value: object) -> object:
    """Turn dataclasses into what JSON holds: times as ISO 8601, durations in seconds."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: plain(getattr(value, field.name)) for field in dataclasses.fields(value)}
    if isinstance(value, Mapping):
        return {str(name): plain(item) for name, item in value.items()}
    if isinstance(value, tuple | list):
        return [plain(item) for item in value]
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, UUID | Promise):
        return str(value)
    return value.total_seconds() if isinstance(value, timedelta) else value


class ExitCode(IntEnum):
    """The exit codes of every verb."""

    DONE = 0
    ERROR = 1
    DATABASE_FAULT = 2
    NONE_MATCHED = 3
    NOT_FOUND = 4
    SOME_SKIPPED = 5
    NONE_APPLIED = 6
    READER_LEFT = 141  # 128 and SIGPIPE, as a shell tells it: never taken for "all done"


_NOT_FOUND = (
    Refusal.UNKNOWN_QUEUE,
    Refusal.UNKNOWN_TASK,
    Refusal.UNKNOWN_SCHEDULE,
    Refusal.UNKNOWN_ALERT,
)


_AS_WANTED = (
    Refusal.PAUSED_ALREADY,
    Refusal.NOT_PAUSED,
    Refusal.DISABLED_ALREADY,
    Refusal.NOT_DISABLED,
    Refusal.SILENCED_ALREADY,
    Refusal.NOT_SILENCED,
)


_MISTAKES = (Refusal.OVER_ALREADY, Refusal.INVALID_LIMIT, Refusal.INVALID_SCHEDULE)


def code_of_counts(*, applied: int, others: int) -> ExitCode:
    """Return the code of an action on several jobs."""
    if applied == 0:
        return ExitCode.NONE_APPLIED
    return ExitCode.SOME_SKIPPED if others else ExitCode.DONE


def code_of_jobs(targets: Sequence[TargetReport]) -> ExitCode:
    """Return the code of an action on jobs; an error of the database counts more than what was applied."""
    if any(target.outcome is ActionOutcome.FAILED for target in targets):
        return ExitCode.ERROR
    if targets and all(target.refusal is Refusal.NO_SUCH_JOB for target in targets):
        return ExitCode.NOT_FOUND
    applied = sum(target.was_applied for target in targets)
    return code_of_counts(applied=applied, others=len(targets) - applied)


def code_of_target(target: TargetReport) -> ExitCode:
    """Return the code of an action on a queue or a schedule: one that is as it should be is no failure."""
    if target.was_applied or target.refusal in _AS_WANTED:
        return ExitCode.DONE
    if target.refusal in _NOT_FOUND:
        return ExitCode.NOT_FOUND
    if target.refusal in _MISTAKES or target.refusal is None:
        return ExitCode.ERROR
    return ExitCode.NONE_APPLIED


def error_of(target: TargetReport) -> CommandError:
    """Return why an action on a queue or a schedule was not done, with the name that may be meant."""
    suggestion = target.detail.get("suggestion")
    hint = " " + _("Did you mean '%(name)s'?") % {"name": suggestion} if suggestion else ""
    return CommandError(f"{target.sentence}{hint}", returncode=code_of_target(target))


Options = Mapping[str, Any]


def add_nothing(parser: ArgumentParser) -> None:
    """Take no argument."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Verb:
    """A verb: its name, what its help says, its arguments, and what it does."""

    name: str
    summary: str
    run: Callable[[Output, Options], ExitCode]
    add_arguments: Callable[[ArgumentParser], None] = add_nothing
    example: str = ""
