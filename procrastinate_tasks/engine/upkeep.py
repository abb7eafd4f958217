"""What a worker does beside its jobs, on a thread and connection of its own: schedule, rescue, retention."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor

from django.db import connections

from procrastinate_tasks.side_tasks import Routines


class Upkeep:
    """Runs the routines for one worker; a slow query of theirs holds nothing else up."""

    def __init__(self, routines: Routines) -> None:
        self._routines = routines
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="upkeep")

    async def run_once(self) -> None:
        """Runs what is due and waits until something is again."""
        loop = asyncio.get_running_loop()
        await asyncio.sleep(await loop.run_in_executor(self._thread, self._routines.run_once))

    def close(self) -> None:
        """Takes no more work; a routine that hangs is left behind and ends with the process."""
        self._thread.submit(connections.close_all)
        self._thread.shutdown(wait=False)
