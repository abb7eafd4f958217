"""Tasks of Django's Tasks API; what they did is seen in their results."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.contrib.auth.models import Group

from procrastinate_tasks.exceptions import Retry, Snooze
from tests.django_tasks_api import TaskContext, task


class Unlucky(Exception):
    """Raised on purpose."""


@task
def add(a: int, b: int = 0) -> int:
    return a + b


@task
async def add_async(a: int, b: int = 0) -> int:
    return a + b


@task(queue_name="mail", priority=7)
def echo(*args: Any, **kwargs: Any) -> Any:
    return {"args": args, "kwargs": kwargs}


@task
def fail(secret: str) -> None:
    raise Unlucky(f"no {secret}")


@task
async def fail_async() -> None:
    raise Unlucky


@task
def return_something_else() -> object:
    return object()


@task(takes_context=True)
def describe_context(context: TaskContext, suffix: str) -> str:
    result = context.task_result
    return f"{result.status} attempt={context.attempt} id={result.id}{suffix}"


@task(takes_context=True)
async def describe_context_async(context: TaskContext) -> str:
    return f"{context.task_result.status} attempt={context.attempt}"


@task
def save_group(name: str) -> None:
    Group.objects.create(name=name)


def not_a_task() -> None:
    raise AssertionError("nobody may run this")


renamed = task(not_a_task)


@task(max_attempts=3, backoff=30)
def fail_thrice() -> None:
    raise Unlucky


@task(max_attempts=2)
async def ask_again_async() -> None:
    raise Retry(in_=timedelta(0))


@task(timeout=timedelta(seconds=5))
def patient() -> str:
    return "done"


@task
def put_off_once(times: int) -> None:
    if not Group.objects.filter(name="put off").exists():
        Group.objects.create(name="put off")
        raise Snooze(in_=timedelta(minutes=1))
