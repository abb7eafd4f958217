"""The page of one job: its description, its attempts, what it waits for, what may be seen of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import translation

from procrastinate_tasks.actions.policies import Action
from procrastinate_tasks.actions.reports import Actor
from procrastinate_tasks.actions.services import act
from procrastinate_tasks.formatting import Amount
from procrastinate_tasks.jobs import log_lines, stacks
from procrastinate_tasks.jobs.deferring import defer
from procrastinate_tasks.jobs.descriptions import JobArgs, JobDescription, Related, RetrySafety, describe_task
from procrastinate_tasks.jobs.log_lines import MOST_RUNS, LogLine, RunLog
from procrastinate_tasks.models import JobLog, JobStack
from procrastinate_tasks.queries.job import list_logs
from procrastinate_tasks.queues.diagnosis import why_not_running
from procrastinate_tasks.testing import drain_queue
from tests.integration.procrastinate_tasks.claiming import execute
from tests.integration.procrastinate_tasks.job_states import (
    MAKERS,
    TASK,
    make_failed_with_taken_lock,
    make_job,
    make_running,
)
from tests.integration.procrastinate_tasks.viewer.office import (
    OPERATOR,
    address,
    safe_to_repeat,
    staff_client,
)

pytestmark = pytest.mark.django_db

SECRET = "ana@example.com"


def read_page(client: Client, job_id: int | None) -> str:
    return client.get(address("queue_job", job_id)).content.decode()


def a_failed_job() -> int:
    job_id = defer("sample.flaky", {"email": SECRET, "hopeless": True})
    drain_queue()
    return job_id or 0


@pytest.mark.parametrize("state", [state for state in MAKERS if state != "pruned"])
def test_a_job_in_any_state_has_a_page(operator: Client, state: str):
    job_id = MAKERS[state]()

    assert operator.get(address("queue_job", job_id)).status_code == 200


def test_the_page_tells_what_happened_step_by_step(viewer: Client):
    job_id = a_failed_job()

    steps = viewer.get(address("queue_job", job_id)).context["steps"]

    assert [step.label for step in steps] == ["Deferred", "Started", "Failed"]
    assert steps[1].lasted.startswith("waited")
    assert steps[2].lasted.startswith("ran")


def test_attempts_are_shown_with_result_or_error(viewer: Client):
    succeeded = defer("sample.remember", {"number": 4})
    failed = a_failed_job()

    assert "remembered=4" in read_page(viewer, succeeded)
    assert "sample_tasks.Hopeless" in read_page(viewer, failed)


def test_arguments_need_a_permission_of_their_own(viewer: Client):
    job_id = defer("sample.flaky", {"email": SECRET})

    assert SECRET not in read_page(viewer, job_id)
    assert SECRET in read_page(staff_client("view_job", "view_job_arguments"), job_id)


def test_tracebacks_need_a_permission_of_their_own(viewer: Client):
    job_id = a_failed_job()

    assert "Traceback (most recent call last)" not in read_page(viewer, job_id)
    assert "Traceback (most recent call last)" in read_page(
        staff_client("view_job", "view_job_traceback"), job_id
    )


def test_the_summary_for_support_holds_no_argument(operator: Client):
    job_id = a_failed_job()

    summary = operator.get(address("queue_job", job_id)).context["summary"]

    assert str(job_id) in summary
    assert "Hopeless" in summary
    assert SECRET not in summary


def test_a_waiting_job_says_why_it_does_not_run(viewer: Client):
    job_id = make_job()

    page = read_page(viewer, job_id)

    with translation.override("en"):
        assert why_not_running(job_id).sentence in page


def test_who_has_the_lock_is_named_and_linked(viewer: Client):
    holder, waiting = make_running(), make_job()
    execute("UPDATE procrastinate_jobs SET lock = 'home:1' WHERE id = ANY(%s)", [holder, waiting])

    html = read_page(viewer, waiting)

    assert f'It is held by <a href="{address("queue_job", holder)}">' in html


def test_who_has_the_queueing_lock_is_named(operator: Client):
    job_id = make_failed_with_taken_lock()

    html = read_page(operator, job_id)

    assert f'It is held by <a href="{address("queue_job", job_id + 1)}">' in html
    assert f"Job {job_id + 1} waits with its queueing lock." in html


def test_the_project_s_story_is_told(operator: Client):
    def describe(calls: Sequence[JobArgs]) -> Mapping[int, JobDescription]:
        description = JobDescription(
            sentence="Charge the balance of RE-1",
            related=(Related(label="RE-1", url="/bookings/1/", key="booking:1"),),
            amount=Amount(minor=373520, currency="MXN"),
            retry_safety=RetrySafety.SAFE_BY_KEY,
            retry_reason="Stripe knows the key.",
            runbook="Call the guest.",
        )
        return dict.fromkeys((call.id for call in calls), description)

    describe_task(TASK, safe_to_repeat(describe=describe, related_argument="number"))
    job_id = make_job(status="failed")

    html = read_page(operator, job_id)

    for told in (
        "<h1>Charge the balance of RE-1</h1>",
        '<a href="/bookings/1/">RE-1</a>',
        "3,735.20 MXN",
        "Yes, it repeats nothing.",
        "Stripe knows the key.",
        "Call the guest.",
        "?about=number%3A1",
    ):
        assert told in html


def test_what_people_did_to_a_job_is_on_its_page(operator: Client, viewer: Client):
    job_id = make_job(status="failed")
    act(Action.RETRY, job_ids=[job_id], actor=Actor(name="ana"), reason="The bank is back.")

    assert "The bank is back." in read_page(operator, job_id)
    assert "The bank is back." not in read_page(viewer, job_id)


def test_a_pruned_job_leaves_what_is_known_of_its_attempts(viewer: Client):
    job_id = a_failed_job()
    execute("DELETE FROM procrastinate_jobs WHERE id = %s", job_id)

    response = viewer.get(address("queue_job", job_id))

    assert response.status_code == 404
    assert "It never was, or it ended and was pruned." in response.content.decode()
    assert "sample_tasks.Hopeless" in response.content.decode()


@pytest.mark.parametrize("job_id", [0, 10**40])
def test_a_job_that_never_was_is_no_error(viewer: Client, job_id: int):
    assert viewer.get(address("queue_job", job_id)).status_code == 404


def test_the_page_takes_few_queries():
    client = staff_client(*OPERATOR)
    job_id = a_failed_job()

    with CaptureQueriesContext(connection) as taken:
        client.get(address("queue_job", job_id))

    assert len(taken) <= 11


@pytest.mark.parametrize(
    ("args", "shown"),
    [
        ('{"number": ' + "9" * 5000 + "}", "cannot be read here"),
        ("[" * 15_000 + "]" * 15_000, "cannot be read here"),  # Python 3.13 reads 10,000, Postgres 16,000
        ('{"number": ' + "[" * 300 + "]" * 300 + "}", "nested more than 50 deep"),
        ("[1, 2]", "(arguments)"),
        ("null", "(arguments)"),
    ],
    ids=["number", "nesting", "deep", "list", "null"],
)
def test_arguments_that_no_task_can_take_are_shown_as_far_as_they_can_be(args: str, shown: str):
    job_id = defer("sample.locked")
    execute("UPDATE procrastinate_jobs SET args = %s::jsonb WHERE id = %s", args, job_id)

    assert shown in read_page(staff_client(*OPERATOR, "view_job_arguments"), job_id)


# --- What it logs, and where it stands --------------------------------------------------------------------


def a_log(job_id: int, *, run: int, text: str, left_out: int = 0) -> None:
    line = LogLine(1_764_440_000.25, "WARNING", "shop.mail", text)
    log_lines.store([RunLog(job_id=job_id, run=run, attempt=run, lines=(line,), left_out=left_out)])


def test_log_lines_need_a_permission_and_begin_with_the_latest_run(viewer: Client):
    job_id = make_running()
    a_log(job_id, run=1, text="first <try>")
    a_log(job_id, run=2, text="second try", left_out=1)

    seen = read_page(staff_client("view_job", "view_job_traceback"), job_id)

    assert "first &lt;try&gt;" in seen
    assert "WARNING shop.mail: second try" in seen
    assert seen.index("second try") < seen.index("first &lt;try")
    assert "1 line before left out" in seen
    hidden = read_page(viewer, job_id)
    assert "second try" not in hidden
    assert "The log lines need a permission of their own." in hidden


def test_the_lines_of_the_latest_runs_are_kept_and_go_with_their_job():
    job_id = make_running()
    for run in range(1, MOST_RUNS + 3):
        a_log(job_id, run=run, text=f"run {run}")
    a_log(job_id, run=4, text="run 4 went on")
    a_log(job_id + 1000, run=1, text="of no job")

    assert [log.attempt for log in list_logs(job_id)] == [7, 6, 5, 4, 3]
    assert list_logs(job_id)[3].text.endswith("shop.mail: run 4 went on")
    execute("DELETE FROM procrastinate_jobs WHERE id = %s", job_id)
    assert not JobLog.objects.exists()


def test_where_a_job_stands_needs_a_permission_of_its_own(viewer: Client):
    job_id = make_running()
    stack = address("queue_job_stack", job_id)

    assert viewer.get(stack).status_code == viewer.post(stack).status_code == 403
    assert stack not in read_page(viewer, job_id)
    assert stack in read_page(staff_client("view_job", "view_job_stack"), job_id)
    assert not JobStack.objects.exists()


def test_who_asks_where_a_job_stands_sees_the_answer_or_that_there_is_none_yet(
    monkeypatch: pytest.MonkeyPatch,
):
    monkeypatch.setattr("procrastinate_tasks.viewer.pages.stack._WAIT", timedelta(0))
    client, job_id = staff_client("view_job", "view_job_stack"), make_running()
    stack = address("queue_job_stack", job_id)
    assert "Nobody has asked yet." in client.get(stack).content.decode()

    assert client.post(stack, follow=True).redirect_chain == [(stack, 302)]
    assert "has not answered yet" in client.get(stack).content.decode()
    execute("UPDATE procrastinate_tasks_jobstack SET asked_at = now() - interval '6 seconds'")
    assert "Its process does not answer." in client.get(stack).content.decode()
    stacks.answer({job_id: "File <shop>, in charge"})
    assert "does not answer" not in client.get(stack).content.decode()
    assert "File &lt;shop&gt;, in charge" in client.get(stack).content.decode()

    execute("UPDATE procrastinate_jobs SET status = 'succeeded' WHERE id = %s", job_id)
    assert "stands nowhere" in client.get(stack).content.decode()
    assert client.get(address("queue_job_stack", job_id + 1000)).status_code == 404
    assert client.post(address("queue_job_stack", job_id + 1000)).status_code == 404


def test_a_question_that_waits_is_not_asked_anew_and_one_that_was_answered_is():
    job_id = make_running()
    for _ in range(2):
        stacks.ask(job_id, within=timedelta(0))
    first = JobStack.objects.get().asked_at
    assert JobStack.objects.get().answered_at is None

    stacks.answer({job_id: "here"})
    stacks.ask(job_id, within=timedelta(0))

    assert JobStack.objects.get().asked_at > first
    assert JobStack.objects.get().answered_at is None
