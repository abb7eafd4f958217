"""The storm's tasks: each notes its run in the ledger, and returns the run's id."""

from __future__ import annotations

import asyncio
import time
from datetime import timedelta

from django.contrib.auth.models import Group
from django.db import InterfaceError, OperationalError, transaction
from procrastinate.exceptions import ConnectorException
from procrastinate.job_context import JobContext

from procrastinate_tasks.jobs.deferring import defer
from procrastinate_tasks.jobs.retries import Retries
from procrastinate_tasks.jobs.tasks import task
from tests.workers.storm.ledger import noted_run
from tests.workers.storm.orders import EFFECT_PREFIX, NARROW_QUEUE, QUEUE, SLOW_QUEUE

# A session that is ended in the middle of a job is the job's own failure, as it would be in any project.
ON_LOST_SESSION = Retries(
    max_retries=100,
    delay=timedelta(seconds=0.2),
    on=(ConnectorException, InterfaceError, OperationalError),
)


class Hiccup(Exception):
    """The fault of a job that succeeds when it is tried again."""


@task(name="storm.quick", queue=QUEUE, pass_context=True)
async def quick(context: JobContext, key: int) -> str:
    with noted_run(job_id=_id_of(context), key=key) as run_id:
        await asyncio.sleep(0.02)
    return run_id


@task(name="storm.work", queue=QUEUE, pass_context=True)
def work(context: JobContext, key: int) -> str:
    with noted_run(job_id=_id_of(context), key=key) as run_id:
        time.sleep(0.15)
    return run_id


@task(name="storm.write", queue=QUEUE, pass_context=True, retry=ON_LOST_SESSION)
def write(context: JobContext, key: int) -> str:
    """Leaves one row however often it runs, and in the row's transaction orders what follows from it."""
    with noted_run(job_id=_id_of(context), key=key) as run_id, transaction.atomic():
        _, is_new = Group.objects.get_or_create(name=f"{EFFECT_PREFIX}{key}")
        if is_new:
            defer("storm.follow", {"key": key})
    return run_id


@task(name="storm.follow", queue=QUEUE, pass_context=True, retry=ON_LOST_SESSION)
def follow(context: JobContext, key: int) -> str:
    with noted_run(job_id=_id_of(context), key=key) as run_id:
        Group.objects.get(name=f"{EFFECT_PREFIX}{key}")
    return run_id


@task(name="storm.locked", queue=QUEUE, pass_context=True)
def locked(context: JobContext, key: int) -> str:
    with noted_run(job_id=_id_of(context), key=key) as run_id:
        time.sleep(0.05)
    return run_id


@task(
    name="storm.flaky",
    queue=QUEUE,
    pass_context=True,
    retry=Retries(max_retries=3, delay=timedelta(seconds=0.3), on=(Hiccup,)),
)
def flaky(context: JobContext, key: int) -> str:
    with noted_run(job_id=_id_of(context), key=key) as run_id:
        if context.job.attempts == 0:
            raise Hiccup
    return run_id


@task(name="storm.narrow", queue=NARROW_QUEUE, pass_context=True)
async def narrow(context: JobContext, key: int) -> str:
    with noted_run(job_id=_id_of(context), key=key) as run_id:
        await asyncio.sleep(0.2)
    return run_id


@task(name="storm.slow", queue=SLOW_QUEUE, pass_context=True)
async def slow(context: JobContext, key: int) -> str:
    with noted_run(job_id=_id_of(context), key=key) as run_id:
        await asyncio.sleep(0)
    return run_id


def _id_of(context: JobContext) -> int:
    assert context.job.id is not None
    return context.job.id
