"""The storm's verdict finds each way in which a promise can be broken; its plan and its times are right."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from tests.workers.storm.evidence import Evidence, StoredJob
from tests.workers.storm.faults import Strike
from tests.workers.storm.ledger import Run
from tests.workers.storm.orders import AT_A_TIME, PER_SECOND, JobKind, Order
from tests.workers.storm.plan import FULL_STORM, FULL_STORM_SECONDS, KILLS, FaultKind, doses_for, plan_faults
from tests.workers.storm.recovery import longest_standstills, waits_for_another_run
from tests.workers.storm.verdict import judge

NOON = datetime(2026, 11, 2, 12, tzinfo=UTC)


def make_job(job_id: int, kind: JobKind, *, key: int | None = None) -> StoredJob:
    key = job_id if key is None else key
    return StoredJob(job_id, Order(kind, key), "succeeded", (f"run-{job_id}",), success_events=1)


def make_run(
    job_id: int, *, began_at: float = 0.0, ended_at: float | None = None, raised: bool = False
) -> Run:
    ended_at = began_at + 0.5 if ended_at is None else ended_at
    return Run(f"run-{job_id}", job_id, job_id, began_at, ended_at, raised)


def make_evidence() -> Evidence:
    """One job written with what follows from it, two with a lock, and nothing wrong."""
    jobs = [
        make_job(1, JobKind.WRITE),
        make_job(2, JobKind.FOLLOW, key=1),
        make_job(6, JobKind.LOCKED),
        make_job(12, JobKind.LOCKED),
    ]
    runs = [make_run(1), make_run(2, began_at=1), make_run(6, began_at=2), make_run(12, began_at=3)]
    ordered = [job.order for job in jobs if job.order.kind is not JobKind.FOLLOW]
    return Evidence(ordered=ordered, jobs=jobs, runs=runs, effects=[1])


def with_job(number: int, **changes: object) -> Evidence:
    evidence = make_evidence()
    jobs = [
        replace(job, **changes) if index == number else job  # type: ignore[arg-type]
        for index, job in enumerate(evidence.jobs)
    ]
    return replace(evidence, jobs=jobs)


def test_a_storm_in_which_every_promise_was_kept_is_clean():
    verdict = judge(make_evidence())

    assert verdict.is_clean
    assert verdict.complaints() == []


@pytest.mark.parametrize(
    ("evidence", "complaint"),
    [
        (
            replace(make_evidence(), jobs=make_evidence().jobs[1:]),
            "storm.write 1 was ordered and is in no table",
        ),
        (replace(make_evidence(), jobs=[make_evidence().jobs[0]], ordered=[]), "storm.follow 1 was ordered"),
        (with_job(0, status="failed"), "ended as failed"),
        (with_job(0, accepted=()), "no attempt of it is"),
        (with_job(0, accepted=("run-2",)), "never noted the end"),
        (replace(make_evidence(), runs=make_evidence().runs[1:]), "never noted the end"),
        (
            replace(make_evidence(), runs=[make_run(1, raised=True), *make_evidence().runs[1:]]),
            "never noted the end",
        ),
        (replace(make_evidence(), effects=[]), "left no row"),
    ],
)
def test_what_was_lost_is_found(evidence: Evidence, complaint: str):
    (found,) = judge(evidence).lost

    assert complaint in found


@pytest.mark.parametrize(
    ("evidence", "complaint"),
    [
        (with_job(0, status="doing"), "still doing"),
        (with_job(1, status="todo"), "still todo"),
        (replace(make_evidence(), other_jobs_doing=2), "2 jobs of the project"),
    ],
)
def test_what_is_stuck_is_found(evidence: Evidence, complaint: str):
    (found,) = judge(evidence).stuck

    assert complaint in found


@pytest.mark.parametrize(
    ("evidence", "complaint"),
    [
        (with_job(0, accepted=("run-1", "run-1")), "finished 2 times"),
        (with_job(0, success_events=2), "finished 2 times"),
        (replace(make_evidence(), effects=[1, 1]), "the row of storm.write 1 is there 2 times"),
        (
            replace(
                make_evidence(),
                jobs=[*make_evidence().jobs, make_job(20, JobKind.FOLLOW, key=1)],
                runs=[*make_evidence().runs, make_run(20)],
            ),
            "storm.follow 1 is in 2 jobs",
        ),
    ],
)
def test_what_finished_twice_is_found(evidence: Evidence, complaint: str):
    (found,) = judge(evidence).finished_twice

    assert complaint in found


@pytest.mark.parametrize("began_at", [2.4, 1.0])
def test_a_job_that_began_before_its_predecessor_with_the_lock_had_ended_is_found(began_at: float):
    runs = [*make_evidence().runs[:3], make_run(12, began_at=began_at)]

    (found,) = judge(replace(make_evidence(), runs=runs)).out_of_order

    assert found == "storm-0: job 12 began before job 6 had ended"


def test_a_queue_over_its_limit_is_found_in_the_runs_that_counted_and_in_what_was_seen():
    jobs = [make_job(number, JobKind.NARROW) for number in range(AT_A_TIME + 1)]
    evidence = Evidence(ordered=[], jobs=jobs, runs=[make_run(job.id, began_at=job.id / 10) for job in jobs])

    assert len(judge(evidence).over_limit) == 1
    assert len(judge(replace(evidence, most_narrow_at_a_time=AT_A_TIME + 1)).over_limit) == 2
    assert judge(replace(evidence, runs=evidence.runs[1:], jobs=jobs[1:])).over_limit == []


def test_a_queue_that_was_faster_than_its_rate_is_found():
    def starting(*, every: timedelta) -> Evidence:
        starts = [NOON + number * every for number in range(4 * PER_SECOND)]
        return replace(make_evidence(), slow_starts=starts)

    assert judge(starting(every=timedelta(seconds=1) / PER_SECOND)).over_limit == []
    assert len(judge(starting(every=timedelta(seconds=0.9) / PER_SECOND)).over_limit) == 1


def test_a_full_storm_holds_at_least_what_was_promised():
    doses = doses_for(FULL_STORM_SECONDS)

    assert doses == FULL_STORM
    assert sum(doses[kind] for kind in KILLS) >= 50
    assert doses[FaultKind.END_SESSION] >= 20
    assert doses[FaultKind.RESTART] + doses[FaultKind.CRASH] >= 5
    assert doses[FaultKind.FREEZE] >= 10


def test_a_plan_is_drawn_from_its_seed_and_spread_evenly():
    plan = plan_faults(seed=1, seconds=FULL_STORM_SECONDS, doses=FULL_STORM)

    assert plan == plan_faults(seed=1, seconds=FULL_STORM_SECONDS, doses=FULL_STORM)
    assert plan != plan_faults(seed=2, seconds=FULL_STORM_SECONDS, doses=FULL_STORM)
    assert Counter(fault.kind for fault in plan) == FULL_STORM
    thirds = Counter(int(fault.at * 3 // FULL_STORM_SECONDS) for fault in plan)
    assert set(thirds) == {0, 1, 2}
    assert max(thirds.values()) - min(thirds.values()) <= 2


def test_a_short_storm_holds_every_kind_once():
    assert set(doses_for(30).values()) == {1}


def test_standing_still_is_measured_from_a_fault_to_the_next():
    strikes = [Strike(FaultKind.KILL_CHILD, 10.0), Strike(FaultKind.CRASH, 20.0)]
    runs = [make_run(n, began_at=at, ended_at=at) for n, at in enumerate([9.0, 11.0, 15.0, 19.5, 23.0])]

    standstills = longest_standstills(strikes=strikes, runs=runs, ends_at=24.0)

    assert standstills == {FaultKind.KILL_CHILD: [4.5], FaultKind.CRASH: [3.0]}


def test_the_wait_for_another_run_is_measured_from_the_fault_that_cut_the_first_off():
    strikes = [Strike(FaultKind.KILL_CHILD, 10.0), Strike(FaultKind.FREEZE, 20.0)]
    runs = [
        Run("cut off", 1, 1, began_at=9.0),
        Run("again", 1, 1, began_at=11.5, ended_at=12.0),
        Run("retried", 2, 2, began_at=9.0, ended_at=9.5, raised=True),
        Run("the retry", 2, 2, began_at=12.0, ended_at=12.5),
    ]

    assert waits_for_another_run(strikes=strikes, runs=runs) == {FaultKind.KILL_CHILD: [1.5]}
