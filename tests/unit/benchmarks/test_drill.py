"""What the drill makes of what it saw."""

from __future__ import annotations

import os
import shutil
import uuid
from dataclasses import replace

import pytest

from benchmarks.drill.__main__ import main
from benchmarks.drill.meter import Reading, cost_of_a_charge
from benchmarks.drill.options import read_options
from benchmarks.drill.report import Drill, render
from benchmarks.drill.timeline import Sample, Window, figures_of, longest_pause
from benchmarks.drill.verdict import StayRow, Verdict, judge
from benchmarks.due_stays import Stay
from reyes_estancias.local_stripe.statement import Movement, StatementLine

STAY = Stay(uuid.UUID(int=1), "cus_1")
ROW = StayRow(str(STAY.public_id), "cus_1", "paid", 210_000, "succeeded", 1, "key-1")
LINE = StatementLine(
    number=1,
    at=0,
    kind=Movement.CHARGE,
    amount=210_000,
    currency="mxn",
    customer="cus_1",
    payment_intent="pi_1",
    charge="ch_1",
    refund=None,
    card_last4="4242",
    metadata={"attempt": "key-1"},
)

# --- What it asks of the machine ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("user", "tools", "complaint"),
    [
        pytest.param(1000, {"ip", "unshare"}, "takes root", id="no root"),
        pytest.param(0, set(), "The drill needs ip, unshare, setpriv", id="no tools"),
    ],
)
def test_a_machine_that_cannot_is_told_why(
    monkeypatch: pytest.MonkeyPatch, user: int, tools: set[str], complaint: str
):
    monkeypatch.setattr("sys.argv", ["drill"])
    monkeypatch.setattr(os, "geteuid", lambda: user)
    monkeypatch.setattr(shutil, "which", lambda name: name if name in tools else None)

    with pytest.raises(SystemExit, match=complaint):
        main()


# --- The timeline -------------------------------------------------------------------------------------------


def test_rates_pause_and_connections_are_those_of_the_events_own_time():
    window = Window(name="a", told="b", quiet_from=0, began=10, recovered=20, ended=30)
    ends = [1, 2, 3, 4, 5, 12, 19, 21, 22, 23, 24, 29, 40]
    samples = [Sample(at=-1, connections=99), Sample(at=11, connections=7), Sample(at=25, connections=9)]

    figures = figures_of(window, ends=ends, samples=samples)

    assert (figures.before, figures.during, figures.after) == (0.5, 0.2, 0.5)
    assert (figures.longest_pause, figures.seconds, figures.connections) == (7, 10, 9)


def test_a_time_in_which_nothing_ended_is_one_pause():
    assert longest_pause([1, 99], 10, 30) == 20


# --- The verdict --------------------------------------------------------------------------------------------


def test_nothing_is_broken_when_bank_ledger_and_queue_agree():
    verdict = judge([STAY], [ROW], [LINE])

    assert (verdict.charged, verdict.broken) == (1, 0)
    assert (verdict.taken_minor, verdict.recorded_minor) == (210_000, 210_000)


def test_a_stay_whose_charge_had_two_jobs_is_counted_once():
    assert judge([STAY], [ROW, ROW], [LINE]).recorded_minor == 210_000


@pytest.mark.parametrize(
    ("rows", "lines", "broken"),
    [
        pytest.param([], [], {"commits_lost"}, id="a confirmed commit is gone"),
        pytest.param([replace(ROW, job=None)], [LINE], {"jobs_lost"}, id="its job is gone"),
        pytest.param([replace(ROW, job="failed")], [LINE], {"jobs_lost"}, id="its job failed"),
        pytest.param([replace(ROW, ended=2)], [LINE], {"jobs_ended_twice"}, id="its job ended twice"),
        pytest.param(
            [replace(ROW, payment="pending", ledger_minor=0)], [], {"not_charged"}, id="it was not charged"
        ),
        pytest.param(
            [ROW], [LINE, replace(LINE, number=2)], {"charged_twice", "books_differ"}, id="charged twice"
        ),
        pytest.param(
            [ROW], [replace(LINE, metadata={})], {"charged_unknown"}, id="the bank moved money for nobody"
        ),
        pytest.param(
            [replace(ROW, ledger_minor=1)], [LINE], {"books_differ"}, id="the ledger says another sum"
        ),
    ],
)
def test_each_broken_promise_is_named(rows: list[StayRow], lines: list[StatementLine], broken: set[str]):
    verdict = judge([STAY], rows, lines)

    assert {name for name in PROMISES if getattr(verdict, name)} == broken
    assert verdict.broken == len(broken)


PROMISES = (
    "commits_lost",
    "jobs_lost",
    "jobs_ended_twice",
    "not_charged",
    "charged_twice",
    "charged_unknown",
    "books_differ",
)

# --- The report ---------------------------------------------------------------------------------------------


def test_the_report_names_command_machine_promises_and_events():
    window = Window(name="a host dies", told="SIGKILL", quiet_from=0, began=10, recovered=20, ended=30)
    drill = Drill(
        command="make drill",
        machine=["a machine"],
        events=[figures_of(window, ends=[5.0, 25.0], samples=[])],
        verdict=judge([STAY], [ROW], [LINE]),
        jobs_taken_over=12,
        late_ends_refused=4,
        connections=24,
        seconds_to_settle=8.2,
        cost=cost_of_a_charge(Reading(0, 0, 0, 0, 0, 0), Reading(10, 102_400, 90, 120, 250, 51_200)),
    )

    report = render(drill)

    assert report.startswith("`make drill`\n\n- a machine\n")
    assert "| Charged twice | 0 | by the bank statement |" in report
    assert "the bank took 2,100.00 MXN, the ledger says 2,100.00 MXN" in report
    assert "| a host dies | SIGKILL | 0.1 | 0.0 | 0.1 | 15.0 s | 10.0 s | 0 |" in report
    assert "| commits | 25 |\n| rows inserted | 9 |\n| rows updated | 12 |\n| WAL | 10.0 KiB |" in report


def test_the_command_in_the_report_is_the_one_that_was_given():
    assert read_options([]).command == "make drill"
    assert (
        read_options(["--quiet-seconds", "5", "--dry"]).command == 'make drill ARGS="--quiet-seconds 5 --dry"'
    )


def test_a_verdict_counts_every_promise():
    fields = dict.fromkeys(Verdict.__dataclass_fields__, 1)

    assert Verdict(**fields).broken == len(PROMISES)
