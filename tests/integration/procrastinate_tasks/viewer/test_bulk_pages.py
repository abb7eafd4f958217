"""Bulk operations on their pages: looked at first, started with the number typed, followed and stopped."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.contrib.messages import get_messages
from django.test import Client
from django.utils import timezone

from procrastinate_tasks.actions import bulk
from procrastinate_tasks.actions.policies import Action
from procrastinate_tasks.actions.reports import Actor
from procrastinate_tasks.actions.services import act
from procrastinate_tasks.models import AuditEntry, BulkOperation, Job
from procrastinate_tasks.testing import drain_queue
from tests.integration.procrastinate_tasks.job_states import make_job, make_running, status_of
from tests.integration.procrastinate_tasks.viewer.office import OPERATOR, address, staff_client

pytestmark = pytest.mark.django_db

NEW = "?tab=failed&queue=sample"
NOBODY = "Nobody carries it out any more"


def start(client: Client, **form: Any) -> Any:
    complete = {"action": "retry", "reason": "The bank is back.", "typed": "3", "token": "t", **form}
    return client.post(address("queue_bulk_new") + NEW, complete)


@pytest.fixture
def failed() -> list[int]:
    make_job()
    return [make_job(status="failed", task="sample.defer_itself") for _ in range(3)]


def test_what_matches_and_what_would_happen_is_shown_first(operator: Client, failed: list[int]):
    response = operator.get(address("queue_bulk_new") + NEW + "&action=retry")

    assert response.context["count"] == "3"
    assert response.context["filters"] == "State: Failed · Queue: sample"
    assert response.context["preview"].possible == 3
    assert not BulkOperation.objects.exists()


def test_an_operation_is_started_followed_and_exported(operator: Client, failed: list[int]):
    response = start(operator)
    operation = BulkOperation.objects.get()
    assert response["Location"] == address("queue_bulk_detail", operation.pk)
    assert operation.filters == {"tab": "failed", "queue": "sample"}
    assert "Its turn has not come." in operator.get(response["Location"]).content.decode()

    bulk.run_batch(operation.pk)

    page = operator.get(response["Location"])
    assert page.context["shown"].done == 3
    assert [status_of(job_id) for job_id in failed] == ["todo"] * 3
    table = b"".join(operator.get(response["Location"], {"format": "csv"}).streaming_content).decode()  # type: ignore[attr-defined]
    assert table.count("It waits again.") == 3
    assert f"{operation.pk}" in operator.get(address("queue_bulk")).content.decode()


@pytest.mark.parametrize("missing", [{"reason": " "}, {"typed": ""}, {"typed": "4"}])
def test_nothing_starts_without_reason_and_number(
    operator: Client, failed: list[int], missing: dict[str, str]
):
    response = start(operator, **missing)

    assert response.status_code == 200
    assert response.context["problem"]
    assert not BulkOperation.objects.exists()


def test_when_more_match_meanwhile_the_number_is_asked_again(operator: Client, failed: list[int]):
    make_job(status="failed")

    assert "so many jobs match now" in start(operator).content.decode()
    assert not BulkOperation.objects.exists()


def test_a_double_click_starts_one(operator: Client, failed: list[int]):
    answers = [start(operator)["Location"] for _ in range(2)]

    assert BulkOperation.objects.count() == 1
    assert answers[0] == answers[1]


def test_starting_takes_its_permission(failed: list[int]):
    client = staff_client("view_job", "retry_job", name="rita")

    assert start(client).status_code == 403
    assert not BulkOperation.objects.exists()
    assert (AuditEntry.objects.get().action, AuditEntry.objects.get().outcome) == ("start_bulk", "refused")


def test_stopping_leaves_the_rest_alone_and_takes_its_permission(operator: Client, failed: list[int]):
    detail = start(operator)["Location"]
    looker = staff_client("view_job", "view_audit", name="lola")

    assert looker.post(detail).status_code == 403
    response = operator.post(detail, {"token": "s"})
    drain_queue()

    assert "what was done stays done" in str(list(get_messages(response.wsgi_request))[-1])
    assert BulkOperation.objects.get().state == "stopped"
    assert [status_of(job_id) for job_id in failed] == ["failed"] * 3


def test_an_operation_whose_job_was_cancelled_says_so_until_its_job_is_retried(
    operator: Client, failed: list[int]
):
    detail = start(operator)["Location"]
    job_id = Job.objects.get(task_name=bulk.RUN_TASK).pk
    act(Action.CANCEL, job_ids=[job_id], actor=Actor(name="ana"))
    assert NOBODY not in operator.get(detail).content.decode(), "a command may be at it"

    BulkOperation.objects.update(created_at=timezone.now() - timedelta(minutes=2))
    assert NOBODY in operator.get(detail).content.decode()

    act(Action.RETRY, job_ids=[job_id], actor=Actor(name="ana"))
    assert NOBODY not in operator.get(detail).content.decode()
    drain_queue(queues=["default"])
    assert BulkOperation.objects.get().state == "finished"


def test_items_are_told_apart_by_outcome(operator: Client):
    jobs = [make_job(status="failed"), make_running()]
    report = bulk.start(
        Action.RETRY,
        job_ids=jobs,
        filters={},
        actor=Actor(name="ana"),
        in_background=False,
    )
    operation_id = report.targets[0].target
    bulk.run_batch(int(operation_id))

    refused = operator.get(address("queue_bulk_detail", operation_id), {"outcome": "refused"})

    assert [shown.item.job_id for shown in refused.context["items"]] == [jobs[1]]


def test_somebody_else_s_operation_needs_a_permission(operator: Client, failed: list[int]):
    detail = start(operator)["Location"]

    assert staff_client("view_job").get(detail).status_code == 404
    assert staff_client(*OPERATOR, name="berta").get(detail).status_code == 200


@pytest.mark.parametrize("query", ["?outcome=x", "?after=" + "9" * 40, "?before=x"])
def test_no_address_ends_in_an_error(operator: Client, failed: list[int], query: str):
    detail = start(operator)["Location"]

    assert operator.get(detail + query).status_code == 200
    assert operator.get(address("queue_bulk") + query).status_code == 200
    assert operator.get(address("queue_bulk_detail", 10**30)).status_code == 404
