"""Text from projects and environments is measured against the columns and channels that take it."""

from __future__ import annotations

import pytest
from django.test import override_settings
from procrastinate.contrib.django import app

from procrastinate_tasks.checks import check_queue
from procrastinate_tasks.conf import queue_settings
from procrastinate_tasks.exceptions import InvalidQueueName
from procrastinate_tasks.jobs.deferring import defer
from procrastinate_tasks.jobs.tasks import task
from tests.integration.procrastinate_tasks import sample_tasks

FITS = "ñ" * 20
TOO_LONG = "ñ" * 20 + "q"


@pytest.mark.django_db
def test_a_job_goes_to_a_queue_of_forty_bytes_and_not_to_one_of_more():
    assert sample_tasks.remember.configure(queue=FITS).defer(number=1) is not None

    with pytest.raises(InvalidQueueName, match="has 41 bytes, and may have 40 at most"):
        sample_tasks.remember.configure(queue=TOO_LONG).defer(number=1)
    assert defer("sample.remember", {"number": 2}) is not None  # the transaction is still of use


def test_a_task_that_names_too_long_a_queue_is_refused_where_it_is_declared():
    with pytest.raises(InvalidQueueName):

        @task(name="names.too_long", queue=TOO_LONG)
        def too_long() -> None: ...


def test_check_names_the_task_that_procrastinate_took(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(sample_tasks.remember, "queue", TOO_LONG)

    found = [message for message in check_queue(None) if message.id == "procrastinate_tasks.E006"]

    assert app.tasks["sample.remember"].queue == TOO_LONG
    assert "sample.remember" in found[0].msg and "41 bytes" in found[0].msg


def test_a_long_release_is_shortened_to_what_the_columns_hold():
    with override_settings(PROCRASTINATE_TASKS_RELEASE="r" * 300):
        assert queue_settings().release == "r" * 100
