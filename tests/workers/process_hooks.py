"""Functions that write down when they run; ``HOOKS_LOG`` names the file."""

from __future__ import annotations

import atexit
import os
import threading
from pathlib import Path

from procrastinate_tasks.jobs.tasks import task
from procrastinate_tasks.worker.process_hooks import on_process_start, on_process_stop


def write(what: str) -> None:
    with Path(os.environ["HOOKS_LOG"]).open("a", encoding="ascii") as file:
        file.write(f"{os.getpid()} {what}\n")


@on_process_start
def note_start() -> None:
    write("start")


@on_process_start
def fail_at_start() -> None:
    raise ValueError("a hook that fails")


@on_process_stop
def note_stop() -> None:
    write("stop")
    if os.environ.get("HANG_AT_STOP"):
        threading.Event().wait()


@task(name="engine.register_exit")
def register_exit() -> None:
    atexit.register(write, "atexit of a job")


atexit.register(write, "atexit")
