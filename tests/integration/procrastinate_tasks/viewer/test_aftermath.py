"""What came of a bulk operation, with its money; what is at stake before it, and the pace of money."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pytest
from django.core.management import call_command
from django.test import Client

from procrastinate_tasks.actions import bulk
from procrastinate_tasks.actions.policies import Action
from procrastinate_tasks.actions.reports import Actor
from procrastinate_tasks.formatting import Amount
from procrastinate_tasks.jobs.descriptions import JobArgs, Kind, TaskDescription, describe_task
from procrastinate_tasks.models import BulkOperation
from procrastinate_tasks.queries.aftermath import Became, read_aftermath
from tests.integration.pages import read
from tests.integration.procrastinate_tasks.claiming import execute
from tests.integration.procrastinate_tasks.job_states import TASK, make_job, set_status
from tests.integration.procrastinate_tasks.viewer.office import OPERATOR, address, staff_client

pytestmark = pytest.mark.django_db

CHARGER = (*OPERATOR, "retry_money_job")


@pytest.fixture
def charger() -> Client:
    return staff_client(*CHARGER, name="carla")


def describe_charges() -> None:
    def amounts(calls: Sequence[JobArgs]) -> Mapping[int, Amount]:
        return {call.id: Amount(minor=100_000, currency="MXN") for call in calls}

    described = TaskDescription(
        title="Charge", describe=lambda calls: {}, amounts=amounts, kind=Kind.MONEY, moves_money=True
    )
    describe_task(TASK, described)


def retried(*jobs: int) -> BulkOperation:
    """Return an operation that let the jobs wait again."""
    report = bulk.start(
        Action.RETRY,
        job_ids=jobs,
        filters={"tab": "failed"},
        actor=Actor(name="Ana"),
        reason="the bank is back",
        in_background=False,
    )
    operation = BulkOperation.objects.get(pk=report.targets[0].target)
    while bulk.run_batch(operation.pk):
        pass
    return operation


def end(job_id: int, status: str) -> None:
    """Let a job end now: the events of a test are all of the moment at which its transaction began."""
    set_status(job_id, "doing")
    if status != "doing":
        set_status(job_id, status)
        execute(
            "UPDATE procrastinate_events SET at = clock_timestamp()"
            " WHERE id = (SELECT max(id) FROM procrastinate_events WHERE job_id = %s)",
            job_id,
        )


def made(count: int) -> list[int]:
    return [make_job(status="failed") for _ in range(count)]


def test_a_bulk_retry_ends_with_what_came_of_it_and_its_money(charger: Client):
    describe_charges()
    jobs = made(10)
    operation = retried(*jobs)
    for job_id, status in zip(jobs, ["succeeded"] * 4 + ["failed"] * 3 + ["doing"], strict=False):
        end(job_id, status)

    text = read(charger.get(address("queue_bulk_detail", operation.pk)))

    assert "10 jobs were let run:" in text
    assert "succeeded 4 · $4,000.00 MXN" in text
    assert "failed again 3 · $3,000.00 MXN" in text
    assert "waiting 2 · $2,000.00 MXN" in text
    assert "running now 1 · $1,000.00 MXN" in text


def test_each_of_its_numbers_opens_as_many_jobs(charger: Client):
    jobs = made(5)
    operation = retried(*jobs)
    for job_id in jobs[:2]:
        end(job_id, "succeeded")

    shown = charger.get(address("queue_bulk_detail", operation.pk)).context["ends"]

    found = {
        each.label: len(charger.get(address("queue_bulk_detail", operation.pk) + each.url).context["items"])
        for each in shown
    }
    assert found == {each.label: each.count for each in shown} == {"succeeded": 2, "waiting": 3}


def test_only_what_came_after_counts_and_the_first_of_it():
    (job_id,) = made(1)
    operation = retried(job_id)
    assert [each.became for each in read_aftermath(operation.pk).ends] == [Became.WAITING]

    end(job_id, "failed")
    retried(job_id)
    end(job_id, "succeeded")

    assert [each.became for each in read_aftermath(operation.pk).ends] == [Became.FAILED]


def test_a_job_that_was_pruned_is_told_as_its_last_run_says():
    job_id, gone = made(2)
    operation = retried(job_id, gone)
    for each in (job_id, gone):
        end(each, "succeeded")
    execute(
        "INSERT INTO procrastinate_tasks_jobattempt (job_id, attempt, task_name, queue_name, host, release,"
        " started_at, finished_at, outcome, exception_class, message, traceback, fingerprint)"
        " VALUES (%s, 1, %s, 'sample', '', '', now(), clock_timestamp(), 'succeeded', '', '', '', '')",
        job_id,
        TASK,
    )
    execute("DELETE FROM procrastinate_jobs WHERE id = ANY(%s)", [job_id, gone])

    ends = {each.became: len(each.job_ids) for each in read_aftermath(operation.pk).ends}

    assert ends == {Became.SUCCEEDED: 1, Became.UNKNOWN: 1}


def test_a_cancellation_has_nothing_to_come(charger: Client):
    report = bulk.start(
        Action.CANCEL, job_ids=[make_job()], filters={}, actor=Actor(name="Ana"), in_background=False
    )
    bulk.run_batch(int(report.targets[0].target))

    page = charger.get(address("queue_bulk_detail", report.targets[0].target))

    assert page.context["ends"] == []


# --- Before it --------------------------------------------------------------------------------------------


def dry_run(client: Client, **query: str) -> Any:
    return client.get(address("queue_bulk_new"), {"tab": "failed", "action": "retry", **query})


def test_the_dry_run_shows_the_money_at_stake_and_money_goes_slowly(charger: Client):
    describe_charges()
    made(3)

    shown = dry_run(charger)

    assert "Money at stake: $3,000.00 MXN" in read(shown)
    assert shown.context["chosen_pace"] == bulk.PACE_OF_MONEY


def test_what_moves_no_money_goes_as_fast_as_it_goes(charger: Client):
    made(3)

    shown = dry_run(charger)

    assert "Money at stake" not in read(shown)
    assert shown.context["chosen_pace"] is None


def test_what_several_jobs_are_about_is_at_stake_once(charger: Client):
    describe_charges()
    described = TaskDescription(
        title="Charge it",
        describe=lambda calls: {},
        amounts=lambda calls: {call.id: Amount(minor=100, currency="MXN") for call in calls},
        kind=Kind.MONEY,
        related_argument="number",
        moves_money=True,
    )
    describe_task("sample.locked", described)
    for job_id in made(3):
        execute("UPDATE procrastinate_jobs SET task_name = 'sample.locked' WHERE id = %s", job_id)

    assert "Money at stake: $1.00 MXN" in read(dry_run(charger))


def test_the_command_shows_the_stake_and_keeps_the_pace_of_money(capsys: pytest.CaptureFixture[str]):
    describe_charges()
    made(2)

    call_command("jobs", "retry", "--state", "failed", "--reason", "the bank is back", "--by", "Ana")
    call_command(
        "jobs", "retry", "--state", "failed", "--reason", "x", "--by", "Ana", "--yes", "--background"
    )

    assert "$2,000.00 MXN" in capsys.readouterr().out
    assert BulkOperation.objects.get().pace_per_minute == bulk.PACE_OF_MONEY


# --- From when to when ------------------------------------------------------------------------------------


def ended_at(minutes: int) -> int:
    (job_id,) = made(1)
    execute(
        "UPDATE procrastinate_events SET at = '2026-11-29 10:00-06'::timestamptz + %s * interval '1 minute'"
        " WHERE job_id = %s",
        minutes,
        job_id,
    )
    return job_id


def test_the_times_of_an_outage_choose_jobs_in_lists_bulk_and_commands(
    charger: Client, capsys: pytest.CaptureFixture[str]
):
    _before, first, last, _after = (ended_at(minutes) for minutes in (4, 6, 69, 71))
    times = {"ended_from": "2026-11-29T10:05", "ended_to": "2026-11-29T11:10"}

    listed = charger.get(address("queue_jobs"), {"tab": "failed", **times}).context["rows"]
    planned = dry_run(charger, **times).context["plan"].job_ids
    call_command(
        "jobs", "list", "--json", "--ended-from", times["ended_from"], "--ended-to", times["ended_to"]
    )

    assert [shown.row.id for shown in listed] == [last, first]
    assert planned == [first, last]
    assert capsys.readouterr().out.count("\n") == 2


@pytest.mark.parametrize("name", ["since", "until", "ended_from", "ended_to"])
def test_a_time_that_is_none_is_told(charger: Client, name: str):
    shown = charger.get(address("queue_jobs"), {name: "10 o'clock"})

    assert "is no date or time" in read(shown)
