"""What the collection of balances makes of what it saw, and what it does to its workers and its Stripe."""

from __future__ import annotations

import random
from dataclasses import fields, replace

import pytest

from benchmarks.collect.report import Run, broken_promises, render
from benchmarks.collect.trouble import KINDS, Strikes
from benchmarks.drill.verdict import Verdict
from reyes_estancias.local_stripe.faults import Fault

CLEAN = Verdict(
    charged=100,
    commits_lost=0,
    jobs_lost=3,
    jobs_ended_twice=0,
    not_charged=0,
    charged_twice=0,
    charged_unknown=0,
    books_differ=0,
    taken_minor=21_000_000,
    recorded_minor=21_000_000,
)
RUN = Run(
    command="make collect",
    machine=["a machine"],
    verdict=CLEAN,
    balances=100,
    strikes=104,
    kills=7,
    calls_a_second=0,
    refused=0,
    busy_seconds=20.0,
    seconds=25.0,
    longest_attempt=61.0,
    known_late=0,
    others=300,
    others_lateness=0.25,
    broken_invariants=(),
)
# A charge whose job gave up is found by the scan: the job is no loss.
NO_LOSS = {"charged", "taken_minor", "recorded_minor", "jobs_lost"}


def test_a_run_in_which_all_held_breaks_no_promise():
    assert list(broken_promises(RUN)) == []


@pytest.mark.parametrize("count", [field.name for field in fields(Verdict) if field.name not in NO_LOSS])
def test_each_count_that_should_be_nothing_breaks_a_promise(count: str):
    broken = replace(RUN, verdict=replace(CLEAN, **{count: 1}))

    assert len(list(broken_promises(broken))) == 1


def test_an_invariant_that_does_not_hold_is_named():
    assert list(broken_promises(replace(RUN, broken_invariants=("I8",)))) == ["invariants are broken: I8"]


def test_the_report_tells_what_was_done_and_what_came_of_it():
    report = render(RUN)

    assert "| calls answered badly | 104 |" in report
    assert "| charged twice | 0 |" in report
    assert "that Stripe allowed" not in report
    assert "| calls a second that Stripe allowed | 25 |" in render(replace(RUN, calls_a_second=25))


class FakeControl:
    def __init__(self) -> None:
        self.armed: list[Fault] = []

    def arm_fault(self, fault: Fault) -> None:
        self.armed.append(fault)

    def faults_left(self) -> int:
        return 5

    def clear_faults(self) -> None:
        self.armed.clear()


def test_so_many_faults_are_armed_as_balances_are_paid():
    control = FakeControl()
    strikes = Strikes(control, each=0.5, rng=random.Random(1))  # type: ignore[arg-type]  # noqa: S311
    strikes.keep_up_with(0)
    at_first = len(control.armed)
    strikes.keep_up_with(100)
    armed = len(control.armed)
    kinds = {fault.kind for fault in control.armed}
    strikes.stop()

    assert armed - at_first == 50
    assert kinds <= set(KINDS)
    assert len(kinds) > 5
    assert strikes.struck == armed - 5
    assert control.armed == []
