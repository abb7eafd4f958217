"""What a worker does beside its jobs, on a thread and connection of its own: schedule, rescue, retention."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor

from django.db import DatabaseError, connections
from procrastinate.contrib.django.settings import settings as procrastinate_settings

from procrastinate_tasks.side_tasks import Routines


class Upkeep:
    """Runs the routines for one worker; a slow query of theirs holds nothing else up."""

    def __init__(self, routines: Routines) -> None:
        self._routines = routines
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="upkeep")
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


def _open_session() -> None:
    try:
        connections[procrastinate_settings.DATABASE_ALIAS].ensure_connection()
    except DatabaseError as fault:
        raise ConnectionError(str(fault)) from fault
