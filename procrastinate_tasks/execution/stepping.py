"""Steps an async job's coroutine, so that an exception of our choice can be thrown in where it awaits."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Generator
from typing import Any

from procrastinate_tasks.execution import interruption
from procrastinate_tasks.execution.slots import Slot


class SteppedJob:
    """Awaits a coroutine for a slot.

    A cancellation that stands for an interruption reaches the coroutine as that exception: it can be caught,
    and clean-up may await. Any other cancellation passes unchanged.
    """

    __slots__ = ("_coroutine", "_slot")

    def __init__(self, coroutine: Coroutine[Any, Any, Any], slot: Slot) -> None:
        self._coroutine = coroutine
        self._slot = slot

    def __await__(self) -> Generator[Any, None, Any]:
        thrown: BaseException | None = None
        while True:
            try:
                awaited = self._step(thrown)
            except StopIteration as stop:
                return stop.value
            try:
                yield awaited
                thrown = None
            except BaseException as error:
                thrown = self._translate(error)

    def _step(self, thrown: BaseException | None) -> Any:
        interruption.enter_main_thread(self._slot)
        try:
            return self._coroutine.send(None) if thrown is None else self._coroutine.throw(thrown)
        finally:
            interruption.leave_main_thread()

    def _translate(self, error: BaseException) -> BaseException:
        wanted = self._slot.interruption
        if wanted is None or not isinstance(error, asyncio.CancelledError):
            return error
        self._slot.interruption = None
        if (task := asyncio.current_task()) is not None:
            task.uncancel()
        return wanted
