"""Pausing and limiting a queue: what a claim may take, and when a worker looks again."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection, transaction
from django.utils import timezone

from procrastinate_tasks.conf import QueueLimit, Rate, project_name
from procrastinate_tasks.database import statement
from procrastinate_tasks.exceptions import InvalidQueueLimit, UnknownQueue
from procrastinate_tasks.jobs.calls import Call
from procrastinate_tasks.jobs.deferring import defer_many
from procrastinate_tasks.jobs.recording import record
from procrastinate_tasks.models import Outcome, QueueRule
from procrastinate_tasks.queues import control, pauses
from procrastinate_tasks.queues.control import is_paused, list_queue_rules
from tests.integration.constraints import assert_only_the_database_prevents, drop_constraint
from tests.integration.procrastinate_tasks.claiming import (
    NOTHING_PASSED,
    claim,
    execute,
    known,
    look_ahead,
    register_worker,
)
from tests.integration.procrastinate_tasks.ending import end_of

pytestmark = pytest.mark.django_db

LONG = timedelta(minutes=10)


def wait_in_sample(count: int) -> None:
    defer_many("sample.remember", (Call({"number": n}) for n in range(count)))


def wait_elsewhere(count: int) -> None:
    wait_in_sample(count)
    execute(
        "UPDATE procrastinate_jobs SET queue_name = 'elsewhere' WHERE id IN"
        " (SELECT id FROM procrastinate_jobs WHERE queue_name = 'sample' ORDER BY id DESC LIMIT %s)",
        count,
    )


def finish(*job_ids: int, worker_id: int) -> None:
    ends = [end_of(job_id, Outcome.SUCCEEDED)._replace(worker_id=worker_id) for job_id in job_ids]
    assert len(record(ends)) == len(job_ids)


def may_start_now() -> bool:
    seconds, has_ready = look_ahead()
    return seconds is not None and seconds <= 0 and has_ready


# --- Pausing ----------------------------------------------------------------------------------------------


def test_a_paused_queue_is_left_out_of_claims_and_the_others_are_not():
    wait_in_sample(2)
    wait_elsewhere(1)
    pauses.pause_queue(queue="sample", by="Ana", reason="the bank is down")

    assert len(claim()) == 1
    assert claim() == []
    assert look_ahead() == (None, False)


def test_a_resumed_queue_is_claimed_from_again():
    wait_in_sample(2)
    pauses.pause_queue(queue="sample", by="Ana")

    assert pauses.resume_queue(queue="sample") is True

    assert len(claim()) == 2


def test_a_pause_tells_who_why_and_since_when():
    pauses.pause_queue(queue="sample", by="Ana", reason="the bank is down")
    paused_again = pauses.pause_queue(queue="sample", by="Luis", reason="lunch")

    (rule,) = list_queue_rules()

    assert paused_again is False
    assert (rule.queue, rule.paused_by, rule.pause_reason) == ("sample", "Ana", "the bank is down")
    assert rule.paused_at is not None


def test_code_can_ask_whether_its_queue_is_paused():
    assert is_paused("sample") is False

    pauses.pause_queue(queue="sample", by="Ana")

    assert is_paused("sample") is True
    assert is_paused("elsewhere") is False


def test_resuming_a_queue_that_is_not_paused_is_no_news():
    assert pauses.resume_queue(queue="sample") is False


VERBS = (pauses.resume_queue, lambda queue: pauses.pause_queue(queue=queue, by="Ana"))


@pytest.mark.parametrize("verb", VERBS)
def test_a_misspelt_queue_is_refused_with_the_likely_name(verb: Callable[..., object]):
    with pytest.raises(UnknownQueue, match="Did you mean 'sample'"):
        verb(queue="smaple")


def test_a_pause_needs_a_name():
    with pytest.raises(ValueError, match="by whom"):
        pauses.pause_queue(queue="sample", by=" ")


# --- Rates ------------------------------------------------------------------------------------------------


def test_no_more_jobs_start_than_the_rate_allows():
    control.limit_queue(queue="sample", rate=Rate(3, per=LONG))
    wait_in_sample(10)

    assert [len(claim(2)), len(claim(2)), len(claim(2))] == [2, 1, 0]


def test_scheduled_jobs_that_are_due_count_as_well():
    control.limit_queue(queue="sample", rate=Rate(3, per=LONG))
    wait_in_sample(2)
    past = timezone.now() - timedelta(hours=1)
    defer_many("sample.remember", (Call({"number": n}, schedule_at=past) for n in range(2)))

    assert len(claim()) == 3


def test_the_other_queues_get_the_slots_that_a_limited_queue_may_not_use():
    control.limit_queue(queue="sample", rate=Rate(1, per=LONG))
    wait_in_sample(10)
    wait_elsewhere(10)

    assert len(claim(5)) == 5
    assert len(claim(5)) == 5


def test_the_worker_knows_when_the_next_start_is_allowed():
    control.limit_queue(queue="sample", rate=Rate(2, per=LONG))
    wait_in_sample(3)
    claim()

    seconds, has_ready = look_ahead()

    assert seconds is not None
    assert 600 - 1 <= seconds <= 600 + 30
    assert has_ready is True


def test_a_start_counts_no_longer_than_a_period_and_a_twentieth():
    period = timedelta(seconds=20)
    control.limit_queue(queue="sample", rate=Rate(2, per=period))
    wait_in_sample(2)
    before = timezone.now()
    claim(1)
    (counted,) = (float(key) for key in QueueRule.objects.get().recent_starts)

    assert before.timestamp() <= counted <= (timezone.now() + period / 20).timestamp()
    assert may_start_now()


def test_old_starts_are_forgotten():
    control.limit_queue(queue="sample", rate=Rate(1, per=LONG))
    wait_in_sample(3)
    long_ago = timezone.now().timestamp() - 700
    QueueRule.objects.update(recent_starts={str(long_ago): 1, str(long_ago - 700): 1})

    assert len(claim()) == 1
    assert len(QueueRule.objects.get().recent_starts) == 2


def test_a_lowered_rate_counts_what_was_started_before():
    control.limit_queue(queue="sample", rate=Rate(5, per=LONG))
    wait_in_sample(10)
    claim(4)

    control.limit_queue(queue="sample", rate=Rate(2, per=LONG))

    assert claim() == []


def test_a_claim_that_finds_nothing_writes_no_rule():
    control.limit_queue(queue="sample", rate=Rate(5, per=LONG))

    claim()

    assert QueueRule.objects.get().recent_starts == {}


# --- Concurrency ------------------------------------------------------------------------------------------


def test_no_more_jobs_run_than_the_limit_allows():
    control.limit_queue(queue="sample", concurrency=3)
    wait_in_sample(10)

    assert [len(claim(2)), len(claim(2)), len(claim(2))] == [2, 1, 0]
    assert look_ahead() == (None, True)


def test_an_ended_job_makes_room_for_another():
    worker_id = register_worker()
    control.limit_queue(queue="sample", concurrency=2)
    wait_in_sample(10)
    first, _ = claim(worker_id=worker_id)

    finish(first, worker_id=worker_id)

    assert may_start_now()
    assert len(claim(worker_id=worker_id)) == 1


def test_both_limits_hold_at_once():
    control.limit_queue(queue="sample", rate=Rate(3, per=LONG), concurrency=2)
    wait_in_sample(10)

    assert len(claim()) == 2
    execute("UPDATE procrastinate_jobs SET status = 'succeeded' WHERE status = 'doing'")
    assert len(claim()) == 1


# --- Where limits come from -------------------------------------------------------------------------------


def limit_of(queue: str) -> QueueLimit:
    return next((rule.limit for rule in list_queue_rules() if rule.queue == queue), QueueLimit())


@pytest.fixture
def _declared(settings):
    settings.PROCRASTINATE_TASKS_QUEUE_LIMITS = {"sample": QueueLimit(rate=Rate(20), concurrency=5)}
    control.declare_limits()


@pytest.mark.usefixtures("_declared")
def test_the_settings_limits_hold_once_a_worker_has_started():
    assert limit_of("sample") == QueueLimit(rate=Rate(20), concurrency=5)


@pytest.mark.usefixtures("_declared")
def test_what_staff_set_outlives_a_worker_s_start(settings):
    control.limit_queue(queue="sample", concurrency=1)

    control.declare_limits()

    assert limit_of("sample") == QueueLimit(concurrency=1)


@pytest.mark.usefixtures("_declared")
def test_taking_staff_s_limit_back_restores_the_settings():
    control.limit_queue(queue="sample", concurrency=1)

    control.limit_queue(queue="sample")

    assert limit_of("sample") == QueueLimit(rate=Rate(20), concurrency=5)


@pytest.mark.usefixtures("_declared")
def test_a_limit_that_left_the_settings_goes_and_a_pause_stays(settings):
    pauses.pause_queue(queue="sample", by="Ana")
    settings.PROCRASTINATE_TASKS_QUEUE_LIMITS = {}
    register_worker(project=project_name())

    control.declare_limits()

    assert limit_of("sample") == QueueLimit()
    assert is_paused("sample")


@pytest.mark.parametrize("project", [project_name(), "another"])
@pytest.mark.usefixtures("_declared")
def test_a_worker_that_declares_no_limit_lifts_none_while_one_lives_that_does(settings, project: str):
    register_worker(project=project_name(), limits=["sample"])
    register_worker(project=project)
    settings.PROCRASTINATE_TASKS_QUEUE_LIMITS = {}
    settings.PROCRASTINATE_TASKS_PROJECT = project

    control.declare_limits()

    assert limit_of("sample") == QueueLimit(rate=Rate(20), concurrency=5)


def as_another_project(settings) -> None:
    settings.PROCRASTINATE_TASKS_QUEUE_LIMITS = {}
    settings.PROCRASTINATE_TASKS_PROJECT = "another"


@pytest.mark.usefixtures("_declared")
def test_a_limit_taken_back_where_the_settings_have_none_leaves_what_another_project_declared(settings):
    as_another_project(settings)

    control.limit_queue(queue="sample")

    assert limit_of("sample") == QueueLimit(rate=Rate(20), concurrency=5)


@pytest.mark.parametrize(("lives", "stays"), [(True, QueueLimit(concurrency=1)), (False, QueueLimit())])
@pytest.mark.usefixtures("_declared")
def test_staff_s_limit_stays_until_the_project_that_declares_one_says_so_again(
    settings, lives: bool, stays: QueueLimit
):
    if lives:
        register_worker(project=project_name(), limits=["sample"])
    as_another_project(settings)
    control.limit_queue(queue="sample", concurrency=1)
    control.limit_queue(queue="sample")
    control.lift_limits()
    assert limit_of("sample") == stays

    settings.PROCRASTINATE_TASKS_QUEUE_LIMITS = {"sample": QueueLimit(concurrency=5)}
    control.declare_limits()
    assert limit_of("sample") == QueueLimit(concurrency=5)


@pytest.mark.usefixtures("_declared")
def test_a_limit_stays_while_its_project_is_down_and_falls_with_its_last_declarer():
    declarer = register_worker(project=project_name(), limits=["sample"])
    register_worker(project="another")
    execute("DELETE FROM procrastinate_workers WHERE id = %s", declarer)

    control.lift_limits()
    assert limit_of("sample") == QueueLimit(rate=Rate(20), concurrency=5)

    register_worker(project=project_name())
    control.lift_limits()
    assert limit_of("sample") == QueueLimit()


@pytest.mark.usefixtures("_declared")
def test_a_worker_that_cannot_say_what_it_declares_keeps_every_limit():
    register_worker(project=project_name())
    silent_on_limits = register_worker()
    execute("UPDATE procrastinate_tasks_liveworker SET limits = NULL WHERE worker_id = %s", silent_on_limits)

    control.lift_limits()

    assert limit_of("sample") == QueueLimit(rate=Rate(20), concurrency=5)


@pytest.mark.parametrize(
    ("rate", "concurrency"), [(Rate(0), None), (Rate(5, per=timedelta(0)), None), (None, 0), (None, -1)]
)
def test_a_limit_that_makes_no_sense_is_refused(rate: Rate | None, concurrency: int | None):
    with pytest.raises(InvalidQueueLimit, match="'sample' cannot be limited"):
        control.limit_queue(queue="sample", rate=rate, concurrency=concurrency)


# --- What the database itself refuses ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("columns", "rule"),
    [
        ({"paused_at": timezone.now()}, "ptasks_rule_pause_has_an_author"),
        ({"paused_by": "Ana"}, "ptasks_rule_pause_has_an_author"),
        ({"rate_limit": 5}, "ptasks_rule_rate_is_whole"),
        ({"rate_limit": 0, "rate_period": LONG}, "ptasks_rule_rate_is_whole"),
        ({"rate_limit": 1, "rate_period": timedelta(0)}, "ptasks_rule_rate_is_whole"),
        ({"concurrency_limit": 0}, "ptasks_rule_concurrency"),
    ],
)
def test_the_database_refuses_nonsense(columns: dict[str, object], rule: str):
    assert_only_the_database_prevents(
        fault=lambda: QueueRule.objects.create(queue_name="sample", **columns),
        rule=rule,
        drop=drop_constraint("procrastinate_tasks_queuerule", rule),
    )


# --- The cost for the others ------------------------------------------------------------------------------


@pytest.mark.django_db(transaction=True)
def test_claims_from_queues_without_limits_neither_lock_nor_wait_for_a_rule():
    control.limit_queue(queue="sample", concurrency=5)
    wait_in_sample(1)
    wait_elsewhere(1)
    wait_in_sample(1)
    other = connection.copy()
    try:
        with transaction.atomic():
            execute("SELECT FROM procrastinate_tasks_queuerule FOR UPDATE")
            with other.cursor() as cursor:
                cursor.execute("SET statement_timeout = '2s'")
                parameters: dict[str, Any] = {
                    "queues": None,
                    "worker_id": None,
                    "slots": 10,
                    "tasks": known(),
                    **NOTHING_PASSED,
                }
                cursor.execute(statement("worker/claim_jobs"), parameters)
                queues = [row[2] for row in cursor.fetchall()]
    finally:
        other.close()

    assert queues == ["elsewhere"]
    assert len(claim()) == 2
