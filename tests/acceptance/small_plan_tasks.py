"""A task that uses the database and notes its runs."""

from __future__ import annotations

from django.db import connection

from procrastinate_tasks.jobs.context import JobContext
from procrastinate_tasks.jobs.tasks import task
from tests.workers.storm.ledger import noted_run


@task(name="small_plan.query", pass_context=True)
def query(context: JobContext) -> None:
    assert context.job.id is not None
    with noted_run(job_id=context.job.id, key=context.job.id), connection.cursor() as cursor:
        cursor.execute("SELECT pg_sleep(0.03)")
