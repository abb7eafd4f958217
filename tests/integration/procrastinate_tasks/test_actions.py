"""Actions by hand: what is possible in which state, and what is written down of it."""

from __future__ import annotations

import pytest

from procrastinate_tasks.actions import Action, Actor, act
from procrastinate_tasks.deferring import defer
from procrastinate_tasks.models import AuditEntry, Job
from procrastinate_tasks.testing import drain_queue
from tests.integration.procrastinate_tasks import sample_tasks  # noqa: F401 - registers the tasks

pytestmark = pytest.mark.django_db

ANA = Actor(name="ana")


def a_failed_job() -> int:
    job_id = defer("sample.flaky", {"email": "ana@example.com", "hopeless": True})
    assert job_id is not None
    drain_queue()
    return job_id


def test_a_failed_job_is_retried_and_it_is_written_down():
    job_id = a_failed_job()

    report = act(Action.RETRY, job_ids=[job_id], actor=ANA, reason="the bank is back")

    assert [target.target for target in report.applied] == [str(job_id)]
    assert Job.objects.get(pk=job_id).status == "todo"
    entry = AuditEntry.objects.get()
    assert (entry.actor, entry.action, entry.target_id, entry.outcome, entry.reason) == (
        "ana",
        "retry",
        str(job_id),
        "applied",
        "the bank is back",
    )
    assert entry.detail == {"before": "failed", "after": "ready"}
