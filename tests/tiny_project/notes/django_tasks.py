"""Tasks of Django's Tasks API, in a module that a worker imports only when a job names it."""

from __future__ import annotations

import asyncio
import os
import signal
import time

from tests.django_tasks_api import TaskContext, task
from tests.tiny_project.notes.models import Note
from tests.tiny_project.notes.tasks import Broken


@task
def write(text: str) -> int:
    note = Note(text=text)
    note.save()
    return int(note.pk)


@task
async def write_async(text: str) -> int:
    await asyncio.sleep(0)
    note = Note(text=text)
    await note.asave()
    return int(note.pk)


@task
def fail(text: str) -> None:
    raise Broken(f"no {text}")


@task
def sleep(seconds: float) -> str:
    time.sleep(seconds)
    return "slept"


@task(takes_context=True)
def kill_own_worker_once(context: TaskContext) -> int:
    if context.attempt == 1:
        os.kill(os.getpid(), signal.SIGKILL)
    return context.attempt
