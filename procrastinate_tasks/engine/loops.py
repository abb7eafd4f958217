"""Keeps a loop running: a fault is told in words, waited out, and never the end of the worker."""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable

import psycopg

logger = logging.getLogger(__name__)

_SHORTEST_PAUSE = 0.1
_LONGEST_PAUSE = 5.0


async def keep_running(what: str, run_once: Callable[[], Awaitable[object]]) -> None:
    """Calls ``run_once`` until cancelled; after each fault in a row it pauses twice as long, with jitter."""
    pause = _SHORTEST_PAUSE
    while True:
        try:
            await run_once()
        except (psycopg.Error, TimeoutError, OSError) as fault:
            logger.warning("%s failed: %s. Trying again in %.1f s", what, _in_words(fault), pause)
        except Exception:
            logger.exception("%s failed. Trying again in %.1f s", what, pause)
        else:
            pause = _SHORTEST_PAUSE
            continue
        await asyncio.sleep(pause * random.uniform(0.7, 1.3))  # noqa: S311 - spreads load, keeps no secret
        pause = min(pause * 2, _LONGEST_PAUSE)


def _in_words(fault: BaseException) -> str:
    return " ".join(str(fault).split()) or type(fault).__name__
