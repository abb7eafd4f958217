"""What may be done by hand, and with how much confirmation: without a queue."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from procrastinate_tasks.actions.policies import (
    JOB_ACTIONS,
    Action,
    JobToActOn,
    Refusal,
    Tier,
    decide_action,
    decide_actions,
    decide_batch,
    decide_tier,
    needs_reason,
)

NOW = datetime(2026, 5, 1, 12, 0, tzinfo=UTC)
FAILED = JobToActOn(id=1, now=NOW, status="failed")

any_job = st.builds(
    JobToActOn,
    id=st.integers(1, 5),
    now=st.just(NOW),
    status=st.sampled_from(
        ["todo", "doing", "succeeded", "failed", "cancelled", "aborting", "aborted", None]
    ),
    scheduled_at=st.sampled_from([None, NOW - timedelta(hours=1), NOW + timedelta(hours=1)]),
    worker_is_alive=st.booleans(),
    abort_requested=st.booleans(),
    is_parked=st.booleans(),
    queueing_lock=st.sampled_from([None, "a", "b"]),
    twin_id=st.sampled_from([None, 9]),
)


@given(job=any_job, action=st.sampled_from(JOB_ACTIONS))
def test_every_action_on_every_job_is_possible_or_has_its_reason(job: JobToActOn, action: Action):
    verdict = decide_action(action, job)

    assert verdict.is_possible is (verdict.refusal is None)
    assert (verdict.twin_id is not None) is (verdict.refusal is Refusal.LOCK_TAKEN)


@given(job=any_job)
def test_a_job_that_runs_under_a_living_worker_can_only_be_stopped(job: JobToActOn):
    running = replace(job, status="doing", worker_is_alive=True)

    possible = {action for action in JOB_ACTIONS if decide_action(action, running).is_possible}

    assert possible <= {Action.ABORT}


@given(job=any_job)
def test_what_succeeded_is_never_touched(job: JobToActOn):
    done = replace(job, status="succeeded")

    assert not any(decide_action(action, done).is_possible for action in JOB_ACTIONS)


@given(jobs=st.lists(any_job, unique_by=lambda job: job.id), action=st.sampled_from(JOB_ACTIONS))
def test_of_jobs_with_one_queueing_lock_at_most_one_ever_waits_again(jobs: list[JobToActOn], action: Action):
    verdicts = decide_actions(action, jobs)

    if action in (Action.RETRY, Action.RELEASE):
        locks = [job.queueing_lock for job in jobs if job.queueing_lock and verdicts[job.id].is_possible]
        assert len(locks) == len(set(locks))
    assert verdicts.keys() == {job.id for job in jobs}


def test_the_order_in_which_jobs_are_named_does_not_matter():
    jobs = [replace(FAILED, id=number, queueing_lock="shared") for number in (1, 3, 2)]

    verdicts = decide_actions(Action.RETRY, jobs)

    assert [verdicts[number].is_possible for number in (1, 2, 3)] == [False, False, True]
    assert verdicts[1].twin_id == 3


@pytest.mark.parametrize(
    ("action", "count", "needs_care", "tier"),
    [
        (Action.RETRY, 1, False, Tier.BUTTON),
        (Action.RETRY, 1, True, Tier.DRY_RUN),
        (Action.RETRY, 2, False, Tier.DRY_RUN),
        (Action.RETRY, 100, True, Tier.DRY_RUN),
        (Action.RETRY, 101, False, Tier.TYPED),
        (Action.RUN_NOW, 1, False, Tier.BUTTON),
        (Action.CANCEL, 1, False, Tier.DRY_RUN),
        (Action.RESCUE, 1, False, Tier.DRY_RUN),
        (Action.ABORT, 1, False, Tier.TYPED),
        (Action.PAUSE, 1, False, Tier.DRY_RUN),
        (Action.RESUME, 1, False, Tier.BUTTON),
        (Action.DISABLE_SCHEDULE, 1, False, Tier.TYPED),
    ],
)
def test_the_more_can_go_wrong_the_more_is_asked(action: Action, count: int, needs_care: bool, tier: Tier):
    assert decide_tier(action, count=count, needs_care=needs_care) is tier


@pytest.mark.parametrize("action", Action)
def test_every_action_has_its_tier(action: Action):
    assert decide_tier(action) in Tier


def test_a_reason_is_needed_to_stop_a_job_and_where_money_may_move():
    assert needs_reason(Action.ABORT, moves_money=False)
    assert all(needs_reason(action, moves_money=True) for action in JOB_ACTIONS)
    assert not needs_reason(Action.RETRY, moves_money=False)
    assert not needs_reason(Action.PAUSE, moves_money=True)


@given(pace=st.integers(1, 1_000_000))
def test_a_pace_is_kept_from_below_and_nearly_reached(pace: int):
    batch = decide_batch(pace)

    per_minute = batch.size * (timedelta(minutes=1) / batch.pause)

    assert 1 <= batch.size <= 100
    assert per_minute == pytest.approx(pace, rel=0.001)


def test_without_a_pace_there_is_no_pause():
    assert decide_batch(None).pause == timedelta(0)
