"""A worker's loop survives every fault, also that of whoever is told of it."""

from __future__ import annotations

import asyncio
import contextlib
import logging

import pytest

from procrastinate_tasks.worker.worker import keep_running


class BrokenHandler(logging.Handler):
    """As one that writes to the database that is away."""

    def emit(self, record: logging.LogRecord) -> None:
        raise ConnectionError(record.getMessage())


@pytest.mark.parametrize("fault", [OSError("away"), LookupError("a bug")])
def test_a_log_handler_that_fails_stops_no_loop(fault: Exception):
    logger = logging.getLogger("procrastinate_tasks")
    handler = BrokenHandler()
    rounds: list[int] = []

    async def run_once() -> None:
        rounds.append(len(rounds))
        if len(rounds) == 3:
            raise asyncio.CancelledError
        raise fault

    async def run() -> None:
        with contextlib.suppress(asyncio.CancelledError):
            await keep_running("A loop", run_once)

    logger.addHandler(handler)
    try:
        asyncio.run(run())
    finally:
        logger.removeHandler(handler)

    assert rounds == [0, 1, 2]
