"""The drill's report as Markdown; pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from benchmarks.drill.meter import CostOfACharge
from benchmarks.drill.timeline import EventFigures
from benchmarks.drill.verdict import Verdict

BEGIN = "<!-- results: written by make drill -->"


@dataclass(frozen=True, slots=True, kw_only=True)
class Drill:
    """One drill, ready to be told.

    Attributes:
        jobs_taken_over: runs that their worker did not live to end, and that ran again elsewhere.
        late_ends_refused: runs that a worker ended after it had lost them.
        seconds_to_settle: from the end of the load until nothing was left to do.
    """

    command: str
    machine: Sequence[str]
    events: Sequence[EventFigures]
    verdict: Verdict
    jobs_taken_over: int
    late_ends_refused: int
    connections: int
    seconds_to_settle: float
    cost: CostOfACharge


def render(drill: Drill) -> str:
    """Return the report: command, machine, promises, events."""
    return "\n".join(
        [
            f"`{drill.command}`",
            "",
            *(f"- {line}" for line in drill.machine),
            "",
            *_promises(drill),
            "",
            *_events(drill.events),
            "",
            *_cost(drill.cost),
        ]
    )


def _promises(drill: Drill) -> list[str]:
    verdict = drill.verdict
    rows = [
        ("Balances charged", verdict.charged, ""),
        ("Committed and then lost", verdict.commits_lost, "of what the primary had confirmed"),
        ("Jobs lost", verdict.jobs_lost, "gone, unfinished or failed"),
        ("Jobs ended twice", verdict.jobs_ended_twice, "by two workers"),
        ("Balances not charged", verdict.not_charged, "by the bank statement"),
        ("Charged twice", verdict.charged_twice, "by the bank statement"),
        ("Charged for no attempt of ours", verdict.charged_unknown, "by the bank statement"),
        (
            "Bookings on which bank and ledger differ",
            verdict.books_differ,
            f"the bank took {_pesos(verdict.taken_minor)}, the ledger says {_pesos(verdict.recorded_minor)}",
        ),
        ("Runs taken over by another worker", drill.jobs_taken_over, ""),
        ("Late ends refused", drill.late_ends_refused, "of workers that had lost their jobs meanwhile"),
        (
            "Connections to the primary at peak",
            drill.connections,
            "three workers, four jobs at a time each",
        ),
        ("Seconds until nothing was left", round(drill.seconds_to_settle), "after the last event"),
    ]
    lines = [f"| {label} | {value:,} | {note} |" for label, value, note in rows]
    return ["|  |  |  |", "| --- | --: | --- |", *lines]


def _pesos(amount_minor: int) -> str:
    return f"{amount_minor / 100:,.2f} MXN"


def _events(events: Sequence[EventFigures]) -> list[str]:
    titles = (
        "event",
        "what was done",
        "charges/s before",
        "during",
        "after",
        "longest pause",
        "whole again after",
        "connections",
    )
    heading = [f"| {' | '.join(titles)} |", f"| --- | --- |{' --: |' * (len(titles) - 2)}"]
    lines = [
        f"| {event.name} | {event.told} | {event.before:.1f} | {event.during:.1f} | {event.after:.1f} |"
        f" {event.longest_pause:.1f} s | {event.seconds:.1f} s | {event.connections} |"
        for event in events
    ]
    return heading + lines


def _cost(cost: CostOfACharge) -> list[str]:
    rows = [
        ("commits", f"{cost.commits:.0f}"),
        ("rows inserted", f"{cost.inserted:.0f}"),
        ("rows updated", f"{cost.updated:.0f}"),
        ("WAL", f"{cost.wal_kilobytes:.1f} KiB"),
        ("growth of the database", f"{cost.size_kilobytes:.1f} KiB"),
    ]
    lines = [f"| {label} | {value} |" for label, value in rows]
    return ["| one charge costs the primary |  |", "| --- | --: |", *lines]
