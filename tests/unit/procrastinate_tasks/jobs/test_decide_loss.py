"""Who pays for a lost run, by how it was lost."""

from __future__ import annotations

import pytest

from procrastinate_tasks.jobs.claimed_job import ClaimedJob
from procrastinate_tasks.jobs.policies import LossCause, LossDecision, decide_loss
from procrastinate_tasks.jobs.rescue import LostRun, judge

MAX_CRASHES = 2


@pytest.mark.parametrize(
    ("cause", "at_first", "at_second"),
    [
        (LossCause.HOST, LossDecision.RUN_AGAIN, LossDecision.PARK),
        (LossCause.WORKER, LossDecision.GIVE_BACK, LossDecision.GIVE_BACK),
        (LossCause.CHILD_ALONE, LossDecision.RUN_AGAIN, LossDecision.PARK),
        (LossCause.CHILD_AMONG_OTHERS, LossDecision.GIVE_BACK, LossDecision.GIVE_BACK),
        (LossCause.CHILD_KILLED, LossDecision.GIVE_BACK, LossDecision.GIVE_BACK),
        (LossCause.ANSWER, LossDecision.GIVE_BACK, LossDecision.GIVE_BACK),
        (LossCause.SHUTDOWN, LossDecision.GIVE_BACK, LossDecision.GIVE_BACK),
    ],
)
def test_each_cause_has_its_decision(cause: LossCause, at_first: LossDecision, at_second: LossDecision):
    def decide(earlier_crashes: int) -> LossDecision:
        return decide_loss(
            cause, earlier_crashes=earlier_crashes, max_crashes=MAX_CRASHES, abort_requested=False
        )

    assert [decide(0), decide(1), decide(5)] == [at_first, at_second, at_second]


@pytest.mark.parametrize("cause", LossCause)
@pytest.mark.parametrize("earlier_crashes", [0, 1, 5])
def test_a_job_that_was_asked_to_stop_is_stopped_however_its_run_was_lost(
    cause: LossCause, earlier_crashes: int
):
    decision = decide_loss(
        cause, earlier_crashes=earlier_crashes, max_crashes=MAX_CRASHES, abort_requested=True
    )

    assert decision is LossDecision.ABORT


def test_each_cause_is_in_the_table_above():
    table = test_each_cause_has_its_decision.pytestmark[0].args[1]

    assert {cause for cause, *_ in table} == set(LossCause)


@pytest.mark.parametrize("cause", LossCause)
def test_the_judge_ends_a_run_under_the_claim_it_was_made_with(cause: LossCause):
    claimed = ClaimedJob(7, "sample.remember", "mail", 0, None, "one", "{}", None, 3, 11, 0)

    end = judge(LostRun.of(claimed, cause, started_at=1.0))

    assert (end.job_id, end.worker_id, end.attempts) == (7, 11, 3)
    assert (end.task_name, end.queue_name, end.started_at) == ("sample.remember", "mail", 1.0)


def test_a_person_s_decision_stands_against_the_judge_s():
    claimed = ClaimedJob(7, "sample.remember", "mail", 0, None, None, "{}", None, 3, 11, 9)
    lost = LostRun.of(claimed, LossCause.HOST, started_at=1.0)

    assert judge(lost).status == "failed"
    assert judge(lost, decision=LossDecision.RUN_AGAIN).status == "todo"
