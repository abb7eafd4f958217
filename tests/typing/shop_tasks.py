"""Tasks for the calls of ``right_calls.py`` and ``wrong_calls.py``."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from decimal import Decimal
from enum import Enum
from uuid import UUID

from procrastinate_tasks import JobContext, Retries, task


class Size(Enum):
    """A value of its own, which JSON does not know."""

    SMALL = "s"
    LARGE = "l"


@task(name="typing.bare")
def bare(order_id: int, email: str = "") -> str:
    return f"{order_id} {email}"


@task(name="typing.send_receipt", queue="mail", retry=Retries(max_retries=3, delay=timedelta(seconds=30)))
def send_receipt(order_id: int, email: str, copies: int = 1) -> str:
    return f"{order_id} {email} {copies}"


@task(name="typing.import_rows", pass_context=True)
def import_rows(context: JobContext, path: str, skip: int | None = None) -> None:
    context.progress(1, 2, path)


@task(name="typing.charge")
async def charge(amount: Decimal, due: date, at: datetime, key: UUID, size: Size) -> None: ...


@task(name="typing.nothing")
def nothing() -> None: ...
