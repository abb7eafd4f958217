"""What a payment's job is run again for."""

from __future__ import annotations

import pytest
from django.db import InterfaceError, OperationalError
from procrastinate.contrib.django import app
from procrastinate.jobs import Job

NAMES = sorted(
    name
    for name, task in app.tasks.items()
    if name.startswith("payments.") and task.retry_strategy is not None
)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("fault", [OperationalError, InterfaceError])
def test_a_job_whose_database_failed_over_under_it_runs_again(name: str, fault: type[Exception]):
    strategy = app.tasks[name].retry_strategy
    job = Job(id=1, queue="payments", lock=None, queueing_lock=None, task_name=name)

    assert strategy is not None
    assert strategy.get_retry_decision(exception=fault("the server closed the connection"), job=job)
    assert strategy.get_retry_decision(exception=ValueError("a bug"), job=job) is None
