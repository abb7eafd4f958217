"""Recording how runs ended: the one statement that ends a job or puts it back, and stores its attempt."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, cast

import psycopg

from procrastinate_tasks.database import fetch_rows, retry_clash, statement
from procrastinate_tasks.exceptions import EndRefused
from procrastinate_tasks.jobs.completion import Completion, Recorded
from procrastinate_tasks.models import Outcome

COMPLETE_JOBS = statement("jobs/complete_jobs")

# Classes of SQLSTATE that speak of the values in a statement: data, constraints, limits of an index or of
# nesting, and what code of the project's raises in a trigger. Not the connection (08), a conflict with others
# that passes (40), missing resources (53), or a server that stops (57).
_ABOUT_VALUES = ("09", "22", "23", "27", "38", "39", "44", "54", "P0")
# What row-level security, and a damaged page or index, say of one row; if it is of all, each is tried alone.
_ABOUT_A_ROW = ("42501", "XX001", "XX002")
# Postgres calls it a limit of the program, too, when notifications wait that others do not read; a channel's
# name that is too long, which comes from the same file, is about a value.
_NOTIFICATIONS_WAIT = ("54000", "async.c")


# Values that cannot even be written down for the database.
_UNWRITABLE = (TypeError, ValueError, ArithmeticError, AttributeError, RecursionError)


def why_refused(error: BaseException) -> str | None:
    """Return the SQLSTATE, or the error's name, of a refusal of values; None for any other fault."""
    for each in _with_causes(error):
        if sqlstate := getattr(each, "sqlstate", None):
            return str(sqlstate) if _is_about_values(each, sqlstate) else None
        if isinstance(each, psycopg.Error):
            return type(each).__name__ if isinstance(each, psycopg.DataError) else None
    return type(error).__name__ if isinstance(error, _UNWRITABLE) else None


def _is_about_values(error: BaseException, sqlstate: str) -> bool:
    if isinstance(error, psycopg.Error) and (sqlstate, error.diag.source_file) == _NOTIFICATIONS_WAIT:
        return False
    return sqlstate[:2] in _ABOUT_VALUES or sqlstate in _ABOUT_A_ROW or _is_made_up(sqlstate)


def _is_made_up(sqlstate: str) -> bool:
    """Whether Postgres has no such class of codes: a trigger of the project's raises what it likes."""
    try:
        psycopg.errors.lookup(f"{sqlstate[:2]}000")
    except KeyError:
        return True
    return False


def _with_causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__


def in_our_words(end: Completion, *, reason: str) -> Completion:
    """Say that a run's end could not be stored: what it came to stands, and a retry becomes a failure."""
    refused = EndRefused(reason=reason)
    told = Completion(
        job_id=end.job_id,
        worker_id=end.worker_id,
        attempts=end.attempts,
        status="failed",
        outcome=Outcome.FAILED.value,
        task_name="",  # for the job's row to tell, as its queue
        queue_name="",
        started_at=end.started_at,
        finished_at=end.finished_at,
    )
    if end.status == "succeeded":
        return told._replace(
            status="succeeded", outcome=Outcome.SUCCEEDED.value, result=json.dumps(f"({refused})")
        )
    told = told._replace(
        exception_class=f"{EndRefused.__module__}.{EndRefused.__qualname__}", message=str(refused)
    )
    is_aborted = end.status == "aborted"
    return told._replace(status="aborted", outcome=Outcome.ABORTED.value) if is_aborted else told


class Portions:
    """Cuts ends into portions until the database takes each.

    One that is refused alone is put in our words; what is refused even then is ``refused_for_good``.
    """

    def __init__(self, ends: Sequence[Completion]) -> None:
        self._left: list[Sequence[Completion]] = [ends] if ends else []
        self._is_in_our_words = False
        self.refused_for_good: list[Completion] = []

    @property
    def next(self) -> Sequence[Completion] | None:
        """What to try now; None when nothing is left."""
        return self._left[-1] if self._left else None

    def accept(self) -> None:
        """Takes note that the portion was recorded."""
        self._left.pop()
        self._is_in_our_words = False

    def refuse(self, reason: str) -> None:
        """Takes note that the database refused the portion because of a value in it."""
        portion = self._left.pop()
        if len(portion) > 1:
            half = len(portion) // 2
            self._left += [portion[half:], portion[:half]]
        elif self._is_in_our_words:
            self._is_in_our_words = False
            self.refused_for_good += portion
        else:
            self._is_in_our_words = True
            self._left.append([in_our_words(portion[0], reason=reason)])


logger = logging.getLogger(__name__)


_EMPTY = (None, "")


def tell_refused(end: Completion) -> None:
    """Say that a job stays as it is."""
    logger.error("The database refuses every end of job %d, which stays as it is", end.job_id)


def record(
    ends: Sequence[Completion],
    *,
    host: str = "",
    release: str = "",
    now: datetime | None = None,
    on_refused: Callable[[Completion], None] = tell_refused,
) -> list[Recorded]:
    """Record ends in Django's transaction; the answer leaves out those their worker had lost.

    One that the database refuses is recorded in our words, and costs the others nothing.

    Args:
        host: where the runs were; of lost ones their worker's row tells it.
        release: the code that ran.
        now: by default the database's clock.
        on_refused: told of each end that the database refuses in every form.
    """
    own = {"host": host, "release": release, "deletes_job": False, "as_of": now}
    portions = Portions(ends)
    recorded: list[Recorded] = []
    while (portion := portions.next) is not None:
        try:
            recorded += _record_together(portion, own)
        except Exception as error:
            if (reason := why_refused(error)) is None:
                raise
            portions.refuse(reason)
        else:
            portions.accept()
    for end in portions.refused_for_good:
        on_refused(end)
    return recorded


def _record_together(ends: Sequence[Completion], own: Mapping[str, object]) -> list[Recorded]:
    """Record ends in one statement; when it is refused, the surrounding transaction stays usable."""
    parameter = encode({**end._asdict(), **own} for end in ends)
    # A job with the same queueing lock may be committed while the statement runs.
    return read_answer(retry_clash(lambda: fetch_rows(COMPLETE_JOBS, ends=parameter)))


def encode(ends: Iterable[Mapping[str, object]]) -> str:
    """Return runs as the JSON that ``jobs/sql/complete_jobs.sql`` reads: its columns, empty ones left out.

    One text is much cheaper to send and to read than an array for each column. To be sent at once: it says
    how many seconds ago things were, since the database has a clock of its own.
    """
    monotonic, wall = time.monotonic(), time.time()
    items = [_without_clocks(end, monotonic=monotonic, wall=wall) for end in ends]
    return json.dumps(items, default=datetime.isoformat)


def _without_clocks(end: Mapping[str, object], *, monotonic: float, wall: float) -> dict[str, object]:
    columns = {name: value for name, value in end.items() if value not in _EMPTY}
    for name in ("started", "finished"):
        columns[f"{name}_ago"] = monotonic - cast("float", columns.pop(f"{name}_at"))
    if "retry_at" in columns:
        columns["retry_in"] = cast("datetime", columns.pop("retry_at")).timestamp() - wall
    return columns


def read_answer(rows: Iterable[dict[str, Any]]) -> list[Recorded]:
    """Read the rows that ``jobs/sql/complete_jobs.sql`` answers."""
    return [
        Recorded(
            job_id=row["job_id"],
            status=row["status"],
            outcome=Outcome(row["outcome"]),
            sibling_id=row["sibling_id"],
        )
        for row in rows
    ]
