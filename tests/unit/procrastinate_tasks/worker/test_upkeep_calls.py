"""What a worker has its upkeep do between the routines: bounded in time, its faults such as loops survive."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from datetime import timedelta
from threading import Event

import pytest
from django.db import OperationalError

from procrastinate_tasks.worker.maintenance import Routines, Upkeep

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
