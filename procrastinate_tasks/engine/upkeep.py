"""What a worker does beside its jobs, on threads and connections of their own.

Schedule and rescue wait for nothing. What may take its time, a project's alert rules above all, has another
thread; its session is given back after each turn, and none of its statements lasts longer than half a minute.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from typing import Any

from django.db import DatabaseError, connections, transaction
from procrastinate.contrib.django.settings import settings as procrastinate_settings

from procrastinate_tasks.side_tasks import Routines

_BOUND = "SET LOCAL statement_timeout = '30s'"


class Upkeep:
    """Runs routines for one worker; a slow query of theirs holds nothing else up."""

    def __init__(self, routines: Routines, *, name: str = "upkeep") -> None:
        self._routines = routines
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix=name)
        self._has_opened = asyncio.Event()

    async def opened(self) -> None:
        """Waits until it has had its session for the first time."""
        await self._has_opened.wait()

    async def run_once(self) -> None:
        """Runs what is due and waits until something is again.

        Raises:
            OSError: There is no session to be had yet.
        """
        loop = asyncio.get_running_loop()
        if not self._has_opened.is_set():
            await loop.run_in_executor(self._thread, _open_session)
            self._has_opened.set()
        await asyncio.sleep(await loop.run_in_executor(self._thread, self._routines.run_once))

    def close(self) -> None:
        """Takes no more work; a routine that hangs is left behind and ends with the process."""
        self._thread.submit(connections.close_all)
        self._thread.shutdown(wait=False)


class Housekeeping(Upkeep):
    """Runs the routines that may take their time."""

    async def run_once(self) -> None:
        """Runs what is due, in statements that are bounded, and waits until something is again."""
        loop = asyncio.get_running_loop()
        await asyncio.sleep(await loop.run_in_executor(self._thread, self._run_bounded))

    def _run_bounded(self) -> float:
        try:
            with connections[procrastinate_settings.DATABASE_ALIAS].execute_wrapper(bound_statement):
                return self._routines.run_once()
        finally:
            connections.close_all()


def bound_statement(
    execute: Callable[..., Any], sql: str, params: Any, many: bool, context: dict[str, Any]
) -> Any:
    """Have a statement end within half a minute; set for its transaction alone, which no pooler hands on."""
    wrapper = context["connection"]
    with transaction.atomic(using=wrapper.alias) if not wrapper.in_atomic_block else nullcontext():
        wrapper.connection.execute(_BOUND)
        return execute(sql, params, many, context)


def _open_session() -> None:
    try:
        connections[procrastinate_settings.DATABASE_ALIAS].ensure_connection()
    except DatabaseError as fault:
        raise ConnectionError(str(fault)) from fault
