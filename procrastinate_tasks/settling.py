"""Settling a job: the one statement that ends it or puts it back, and stores what its attempt came to."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple, cast

from django.db import transaction
from procrastinate.contrib.django.django_connector import DjangoConnector
from procrastinate.exceptions import UniqueViolation

from procrastinate_tasks.exchange.frames import RunEnd
from procrastinate_tasks.refusals import Portions, why_refused
from procrastinate_tasks.results import Outcome
from procrastinate_tasks.statements import statement

logger = logging.getLogger(__name__)

MOST_CLASHES = 5
_EMPTY = (None, "")


class Settled(NamedTuple):
    """What became of a job: ``sibling_id`` is the waiting job a retry was dropped for."""

    job_id: int
    status: str
    outcome: Outcome
    sibling_id: int | None


def settle(
    connector: DjangoConnector,
    ends: Sequence[RunEnd],
    *,
    host: str = "",
    release: str = "",
    now: datetime | None = None,
) -> list[Settled]:
    """Settle jobs in Django's transaction; the answer leaves out those their worker had lost.

    One that the database refuses is settled in our words, and costs the others nothing.

    Args:
        host: where the runs were; unknown of lost ones.
        release: the code that ran.
        now: by default the database's clock.
    """
    own = {"host": host, "release": release, "deletes_job": False, "as_of": now}
    portions = Portions(ends)
    settled: list[Settled] = []
    while (portion := portions.next) is not None:
        try:
            settled += _settle_together(connector, portion, own)
        except Exception as error:
            if (reason := why_refused(error)) is None:
                raise
            portions.refuse(reason)
        else:
            portions.accept()
    for end in portions.refused_for_good:
        logger.error("The database refuses every end of job %d, which stays as it is", end.job_id)
    return settled


def _settle_together(
    connector: DjangoConnector, ends: Sequence[RunEnd], own: Mapping[str, object]
) -> list[Settled]:
    """Settle jobs in one statement; when it is refused, the surrounding transaction stays usable."""
    parameter = encode_ends({**end._asdict(), **own} for end in ends)
    for clash in range(MOST_CLASHES + 1):
        try:
            with transaction.atomic(using=connector.alias):
                return read_answer(connector.execute_query_all(statement("settle_jobs"), ends=parameter))
        except UniqueViolation:
            # A job with the same queueing lock was committed while the statement ran: now it can be seen.
            if clash == MOST_CLASHES:
                raise
    raise AssertionError("unreachable")


def encode_ends(ends: Iterable[Mapping[str, object]]) -> str:
    """Return runs as the JSON that ``sql/settle_jobs.sql`` reads: its columns by name, empty ones left out.

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


def read_answer(rows: Iterable[dict[str, Any]]) -> list[Settled]:
    """Read the rows that ``sql/settle_jobs.sql`` answers."""
    return [
        Settled(
            job_id=row["job_id"],
            status=row["status"],
            outcome=Outcome(row["outcome"]),
            sibling_id=row["sibling_id"],
        )
        for row in rows
    ]
