"""Pausing and limiting queues, running and disabling schedules: with the record of it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from django.db import IntegrityError, transaction

from procrastinate_tasks.actions.policies import Action, Refusal
from procrastinate_tasks.actions.reports import Actor, TargetReport
from procrastinate_tasks.actions.services import act_on_queue, act_on_schedule
from procrastinate_tasks.conf import QueueLimit, Rate
from procrastinate_tasks.models import AuditEntry, Job, QueueRule, ScheduleState
from procrastinate_tasks.schedule import periodic as periodic_module
from procrastinate_tasks.schedule import ticks
from procrastinate_tasks.schedule.periodic import periodic
from procrastinate_tasks.schedule.policies import CatchUp
from procrastinate_tasks.schedule.state import list_schedule
from procrastinate_tasks.schedule.ticks import run_once
from tests.integration.procrastinate_tasks.claiming import execute
from tests.integration.procrastinate_tasks.sample_tasks import locked, remember

pytestmark = pytest.mark.django_db

ANA = Actor(name="ana")
NOON = datetime(2026, 5, 1, 18, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)


@pytest.fixture(autouse=True)
def _schedules(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(periodic_module, "_schedules_by_name", {})
    periodic(cron="0 * * * *", catch_up=CatchUp.ALL)(locked)
    periodic(cron="0 * * * *", args={"number": -1})(remember)
    yield


def on_queue(action: Action, queue: str = "sample", limit: QueueLimit | None = None) -> TargetReport:
    (target,) = act_on_queue(action, queue=queue, actor=ANA, reason="the bank is down", limit=limit).targets
    return target


def on_schedule(action: Action, name: str = "sample.locked") -> TargetReport:
    (target,) = act_on_schedule(action, name=name, actor=ANA, reason="no more").targets
    return target


def deferred(now: datetime) -> list[str]:
    return [tick.schedule_name for tick in run_once(now).deferred if tick.schedule_name == "sample.locked"]


# --- Queues -----------------------------------------------------------------------------------------------


def test_a_queue_is_paused_and_resumed_once_each():
    answers = [
        on_queue(action).refusal for action in (Action.PAUSE, Action.PAUSE, Action.RESUME, Action.RESUME)
    ]

    assert answers == [None, Refusal.PAUSED_ALREADY, None, Refusal.NOT_PAUSED]
    assert list(AuditEntry.objects.order_by("id").values_list("action", "outcome", "reason")) == [
        ("pause", "applied", "the bank is down"),
        ("pause", "refused", "the bank is down"),
        ("resume", "applied", "the bank is down"),
        ("resume", "refused", "the bank is down"),
    ]


def test_who_paused_a_queue_is_who_acted():
    on_queue(Action.PAUSE)

    rule = QueueRule.objects.get()
    assert (rule.paused_by, rule.pause_reason) == ("ana", "the bank is down")


def test_a_queue_is_limited_and_what_it_was_and_is_gets_written_down():
    on_queue(Action.LIMIT, limit=QueueLimit(rate=Rate(5), concurrency=2))
    on_queue(Action.LIMIT)

    first, second = AuditEntry.objects.order_by("id")
    assert first.detail == {"before": {}, "after": {"count": 5, "seconds": 1.0, "concurrency": 2}}
    assert second.detail == {"before": first.detail["after"], "after": {}}
    assert not QueueRule.objects.get().limits_by_hand


def test_a_limit_that_is_none_is_refused():
    target = on_queue(Action.LIMIT, limit=QueueLimit(concurrency=0))

    assert target.refusal is Refusal.INVALID_LIMIT
    assert not QueueRule.objects.exists()


@pytest.mark.parametrize("action", [Action.PAUSE, Action.RESUME, Action.LIMIT])
def test_an_unknown_queue_is_refused_with_the_nearest_name(action: Action):
    target = on_queue(action, queue="smaple", limit=QueueLimit(concurrency=1))

    assert target.refusal is Refusal.UNKNOWN_QUEUE
    assert target.detail["suggestion"] == "sample"


# --- Schedules --------------------------------------------------------------------------------------------


def test_a_schedule_that_is_run_now_does_not_move():
    run_once(NOON - HOUR / 2)
    before = ScheduleState.objects.get(name="sample.locked")

    target = on_schedule(Action.RUN_SCHEDULE)

    assert Job.objects.get().pk == target.detail["job_id"]
    after = ScheduleState.objects.get(name="sample.locked")
    assert (after.last_tick_at, after.last_job_id) == (before.last_tick_at, before.last_job_id)
    execute("UPDATE procrastinate_jobs SET status = 'doing'")
    assert deferred(NOON) == ["sample.locked"]


def test_a_schedule_is_not_run_beside_a_job_of_it_that_waits():
    on_schedule(Action.RUN_SCHEDULE)

    assert on_schedule(Action.RUN_SCHEDULE).refusal is Refusal.RUN_WAITS
    assert Job.objects.count() == 1


def test_a_schedule_that_cannot_run_says_why():
    target = on_schedule(Action.RUN_SCHEDULE, name="sample.remember")

    assert target.refusal is Refusal.INVALID_SCHEDULE
    assert "number must be 0 or more" in target.sentence


def test_a_disabled_schedule_defers_nothing_and_goes_on_with_its_next_tick():
    run_once(NOON - HOUR / 2)
    assert on_schedule(Action.DISABLE_SCHEDULE).was_applied

    while_disabled = [deferred(NOON + n * HOUR) for n in range(3)]
    assert on_schedule(Action.ENABLE_SCHEDULE).was_applied

    assert while_disabled == [[], [], []]
    state = ScheduleState.objects.get(name="sample.locked")
    assert state.disabled_at is None
    assert state.last_tick_at is not None
    assert state.missed_count == 0
    assert deferred(state.last_tick_at) == []
    assert deferred(state.last_tick_at + HOUR) == ["sample.locked"]


def test_a_schedule_that_is_disabled_while_its_tick_is_being_deferred_is_left_alone(
    monkeypatch: pytest.MonkeyPatch,
):
    run_once(NOON - HOUR / 2)
    floors = ticks._floors(NOON)
    on_schedule(Action.DISABLE_SCHEDULE)
    monkeypatch.setattr(ticks, "_floors", lambda now: floors)

    assert deferred(NOON) == []


def test_a_schedule_that_no_worker_has_seen_yet_can_be_disabled():
    assert on_schedule(Action.DISABLE_SCHEDULE).was_applied

    assert deferred(NOON) == []
    run_once(NOON)
    assert ScheduleState.objects.get(name="sample.locked").known_since != {}


def test_a_schedule_is_disabled_and_enabled_once_each():
    actions = [Action.DISABLE_SCHEDULE] * 2 + [Action.ENABLE_SCHEDULE] * 2

    answers = [on_schedule(action).refusal for action in actions]

    assert answers == [None, Refusal.DISABLED_ALREADY, None, Refusal.NOT_DISABLED]


def test_the_list_tells_who_disabled_a_schedule_and_no_next_run():
    on_schedule(Action.DISABLE_SCHEDULE)

    info = next(info for info in list_schedule() if info.name == "sample.locked")

    assert (info.next_at, info.disabled_by, info.disable_reason) == (None, "ana", "no more")
    assert info.disabled_at is not None


@pytest.mark.parametrize("action", [Action.RUN_SCHEDULE, Action.DISABLE_SCHEDULE, Action.ENABLE_SCHEDULE])
def test_an_unknown_schedule_is_refused_with_the_nearest_name(action: Action):
    target = on_schedule(action, name="sample.lokced")

    assert target.refusal is Refusal.UNKNOWN_SCHEDULE
    assert target.detail["suggestion"] == "sample.locked"


def test_the_database_wants_to_know_who_disabled_a_schedule():
    on_schedule(Action.DISABLE_SCHEDULE)

    with pytest.raises(IntegrityError, match="ptasks_schedule_disabling_has_an_author"), transaction.atomic():
        ScheduleState.objects.update(disabled_by="")
