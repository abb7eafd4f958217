"""A release's web process: orders what its code knows, until SIGTERM. Run inside a checkout."""

from __future__ import annotations

import itertools
import os
import signal
import sys
import threading

import django
from django.db import connection

from procrastinate_tasks import defer

django.setup()

from tests.workers.deploys.shop import ORDERS  # noqa: E402 - tasks need the apps

# Beyond this many unfinished jobs no more are ordered: this is about deploys, not about a flood.
_MOST_UNFINISHED = 200
_PAUSE_SECONDS = 0.15


def main() -> None:
    """Orders one job of each kind every ``_PAUSE_SECONDS``; keys are told apart by this process's pid."""
    told_to_stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: told_to_stop.set())
    for number in itertools.count():
        if told_to_stop.wait(_PAUSE_SECONDS):
            sys.exit(0)
        if _count_unfinished() < _MOST_UNFINISHED:
            for name, arguments in ORDERS:
                defer(name, {"key": os.getpid() * 1_000_000 + number, **arguments})


def _count_unfinished() -> int:
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM procrastinate_jobs WHERE status IN ('todo', 'doing')")
        return int(cursor.fetchone()[0])


if __name__ == "__main__":
    main()
