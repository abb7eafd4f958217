"""Which ends to record together: all of them, and of what the database refuses ever smaller parts.

One end that cannot be stored must not keep those that share its statement. Whoever records asks for the next
portion, tries it, and says what came of it::

    portions = Portions(ends)
    while (portion := portions.next) is not None:
        try: record(portion)
        except Exception as error: portions.refuse(why_refused(error) or raise)
        else: portions.accept()
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence

import psycopg

from procrastinate_tasks.exceptions import EndRefused
from procrastinate_tasks.exchange.frames import RunEnd
from procrastinate_tasks.results import Outcome

# Classes of SQLSTATE that speak of the values in a statement: data, constraints, limits of an index or of
# nesting, and what a trigger of the project's raises. Not the connection (08), a conflict with others that
# passes (40), missing resources (53), or a server that stops (57).
_ABOUT_VALUES = ("22", "23", "44", "54", "P0")
# Values that cannot even be written down for the database.
_UNWRITABLE = (TypeError, ValueError, ArithmeticError, AttributeError, RecursionError)


def why_refused(error: BaseException) -> str | None:
    """Return the SQLSTATE, or the error's name, of a refusal of values; None for any other fault."""
    for each in _with_causes(error):
        if sqlstate := getattr(each, "sqlstate", None):
            return str(sqlstate) if sqlstate[:2] in _ABOUT_VALUES else None
        if isinstance(each, psycopg.Error):
            return type(each).__name__ if isinstance(each, psycopg.DataError) else None
    return type(error).__name__ if isinstance(error, _UNWRITABLE) else None


def _with_causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__


def in_our_words(end: RunEnd, *, reason: str) -> RunEnd:
    """Say that a run's end could not be stored: what it came to stands, and a retry becomes a failure."""
    refused = EndRefused(reason=reason)
    told = RunEnd(
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

    def __init__(self, ends: Sequence[RunEnd]) -> None:
        self._left: list[Sequence[RunEnd]] = [ends] if ends else []
        self._is_in_our_words = False
        self.refused_for_good: list[RunEnd] = []

    @property
    def next(self) -> Sequence[RunEnd] | None:
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
