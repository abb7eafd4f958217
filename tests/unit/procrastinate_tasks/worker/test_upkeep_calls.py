"""What a worker has its upkeep do between the routines: bounded in time, its faults such as loops survive."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from datetime import timedelta
from threading import Event

import pytest
from django.db import OperationalError
from procrastinate.exceptions import ConnectorException

from procrastinate_tasks.worker.maintenance import Routine, Routines, Upkeep

LONG = timedelta(seconds=30)


@pytest.fixture
def upkeep() -> Iterator[Upkeep]:
    upkeep = Upkeep(Routines([]))
    yield upkeep
    upkeep.close()


def test_a_call_that_waits_behind_a_routine_that_hangs_gives_up_and_never_begins(upkeep: Upkeep):
    has_begun, may_end, called = Event(), Event(), []

    def hang() -> None:
        has_begun.set()
        may_end.wait(30)

    async def scenario() -> None:
        hanging = asyncio.create_task(upkeep.call(hang, within=LONG))
        await asyncio.to_thread(has_begun.wait, 30)
        with pytest.raises(TimeoutError):
            await upkeep.call(lambda: called.append("late"), within=timedelta(milliseconds=50))
        may_end.set()
        await hanging
        await upkeep.call(lambda: called.append("next"), within=LONG)

    asyncio.run(scenario())

    assert called == ["next"]


def test_a_fault_of_the_database_is_one_that_the_worker_s_loops_survive(upkeep: Upkeep):
    def fail() -> None:
        raise OperationalError("the server closed the connection")

    with pytest.raises(ConnectionError, match="the server closed the connection"):
        asyncio.run(upkeep.call(fail, within=LONG))


@pytest.mark.parametrize("fault", [OperationalError("the server is away"), ConnectorException()], ids=repr)
def test_a_fault_of_the_database_is_told_in_one_line_and_the_next_turn_comes(
    fault: Exception, caplog: pytest.LogCaptureFixture
):
    def run() -> float:
        raise fault from OperationalError("the server\nis away")

    routine = Routine("alerts", run)
    routine.run_if_due(time.monotonic())

    (record,) = caplog.records
    assert record.getMessage().startswith("The side task alerts failed: the server is away. It will")
    assert record.exc_info is None
    assert 0 < routine.due_at - time.monotonic() <= routine.retry_after_seconds
