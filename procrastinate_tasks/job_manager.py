"""The app's job manager: defers in Django's transaction."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from asgiref.sync import sync_to_async
from django.db import transaction
from procrastinate import manager
from procrastinate.contrib.django.django_connector import DjangoConnector
from procrastinate.contrib.django.settings import settings as procrastinate_settings
from procrastinate.exceptions import AlreadyEnqueued
from procrastinate.jobs import Job, Status
from procrastinate.psycopg_connector import PsycopgConnector

from procrastinate_tasks import registry
from procrastinate_tasks.exceptions import InvalidTaskArguments
from procrastinate_tasks.queue_names import require_queue_name
from procrastinate_tasks.statements import statement
from procrastinate_tasks.values import holds_nul


class JobManager(manager.JobManager):
    """Procrastinate's job manager, with three differences.

    * Jobs are deferred on Django's connection, in a worker as in web code: they share the transaction of the
      rows written beside them.
    * Arguments are checked whenever a job is deferred.
    * A taken queueing lock raises ``AlreadyEnqueued`` as ever, but leaves the surrounding transaction usable.
    """

    @property
    def defers_in_django(self) -> bool:
        """False for a stand-in that a test put in with ``replace_connector``: it gets the jobs itself."""
        return isinstance(self.connector, PsycopgConnector | DjangoConnector)

    def insert_jobs(self, jobs: Sequence[Job]) -> list[int | None]:
        """Insert jobs on Django's connection in one statement.

        Returns:
            Their ids in order, None where another job waits with that queueing lock.

        Raises:
            InvalidTaskArguments: before anything is sent to the database.
        """
        parameters = _insert_parameters(jobs)
        connector = DjangoConnector(alias=procrastinate_settings.DATABASE_ALIAS)
        rows = connector.execute_query_all(statement("defer_jobs"), **parameters)
        ids = {row["place"]: row["id"] for row in rows}
        return [ids.get(place) for place in range(1, len(jobs) + 1)]

    def batch_defer_jobs(self, jobs: list[Job], connection: Any | None = None) -> list[Job]:
        """Defer jobs, all or none.

        Raises:
            AlreadyEnqueued: a queueing lock is taken; nothing was deferred, the transaction stays usable.
            InvalidTaskArguments: a job's arguments do not fit its task.
        """
        if connection is not None or not self.defers_in_django:
            _insert_parameters(jobs)
            return super().batch_defer_jobs(jobs, connection)
        if len(jobs) == 1:
            return _with_ids(jobs, self.insert_jobs(jobs))
        with transaction.atomic(using=procrastinate_settings.DATABASE_ALIAS):
            return _with_ids(jobs, self.insert_jobs(jobs))

    async def batch_defer_jobs_async(self, jobs: list[Job], connection: Any | None = None) -> list[Job]:
        """Do as ``batch_defer_jobs`` does, on the connection that asynchronous code's ORM calls use."""
        if connection is not None or not self.defers_in_django:
            _insert_parameters(jobs)
            return await super().batch_defer_jobs_async(jobs, connection)
        return await sync_to_async(self.batch_defer_jobs)(jobs)

    def cancel_by_queueing_lock(self, queueing_lock: str) -> bool:
        """Cancel the waiting job with this queueing lock, in Django's transaction."""
        connector = DjangoConnector(alias=procrastinate_settings.DATABASE_ALIAS)
        rows = connector.execute_query_all(statement("cancel_by_queueing_lock"), queueing_lock=queueing_lock)
        return bool(rows)


# --- From jobs to the parameters of their INSERT
# --------------------------------------------------------------


def _insert_parameters(jobs: Sequence[Job]) -> dict[str, list[Any]]:
    for job in jobs:
        require_queue_name(job.queue)
        registry.check_arguments(job.task_name, job.task_kwargs)
    return {
        "queues": [job.queue for job in jobs],
        "task_names": [job.task_name for job in jobs],
        "priorities": [job.priority for job in jobs],
        "locks": [job.lock for job in jobs],
        "queueing_locks": [job.queueing_lock for job in jobs],
        "arguments": [encode_arguments(job.task_name, job.task_kwargs) for job in jobs],
        "scheduled_ats": [job.scheduled_at for job in jobs],
    }


def encode_arguments(task_name: str, arguments: Mapping[str, object]) -> str:
    """Return a job's arguments as JSON text that Postgres stores unchanged.

    Raises:
        InvalidTaskArguments: they hold something JSON or Postgres's jsonb cannot hold.
    """
    try:
        text = json.dumps(dict(arguments), ensure_ascii=False, allow_nan=False)
        text.encode()
    except (TypeError, ValueError, RecursionError) as refusal:
        raise InvalidTaskArguments(
            f"the arguments cannot be stored as JSON ({refusal}); pass ids, strings and numbers",
            task_name=task_name,
        ) from refusal
    if holds_nul(text):
        raise InvalidTaskArguments("an argument holds a NUL character", task_name=task_name)
    return text


def _with_ids(jobs: Sequence[Job], ids: Sequence[int | None]) -> list[Job]:
    deferred = []
    for job, job_id in zip(jobs, ids, strict=True):
        if job_id is None:
            raise AlreadyEnqueued(
                "Job cannot be enqueued: there is already a job in the queue "
                f"with the queueing lock {job.queueing_lock}"
            )
        deferred.append(job.evolve(id=job_id, status=Status.TODO.value))
    return deferred
