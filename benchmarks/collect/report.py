"""The report of what was collected as Markdown, and what it must show; pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from benchmarks.drill.verdict import Verdict

BEGIN = "<!-- results: written by make collect -->"
BEGIN_OF_LIMIT = "<!-- results: written by make collect, with --calls-a-second -->"


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One collection of balances, ready to be told.

    Attributes:
        strikes, kills: calls that were answered badly, workers that were killed.
        calls_a_second, refused: what Stripe allowed, 0 for no limit, and how many calls it refused for that.
        busy_seconds, seconds: until 95 of 100 were paid, and until nothing was under way.
        longest_attempt: seconds from an attempt's beginning until its money was in the ledger.
        known_late: attempts of which that took over two minutes.
        others, others_lateness: jobs that come before charges, and the seconds that 95 of 100 waited at most.
    """

    command: str
    machine: Sequence[str]
    verdict: Verdict
    balances: int
    strikes: int
    kills: int
    calls_a_second: int
    refused: int
    busy_seconds: float
    seconds: float
    longest_attempt: float
    known_late: int
    others: int
    others_lateness: float
    broken_invariants: Sequence[str]


def broken_promises(run: Run) -> Iterator[str]:
    """Say what was promised and did not hold."""
    verdict = run.verdict
    counts = {
        "balances were not charged": verdict.not_charged,
        "balances were charged twice": verdict.charged_twice,
        "charges belong to no attempt of ours": verdict.charged_unknown,
        "bookings differ between bank and ledger": verdict.books_differ,
        "jobs ended twice": verdict.jobs_ended_twice,
        "stays are gone": verdict.commits_lost,
    }
    for what, count in counts.items():
        if count:
            yield f"{count:,} {what}"
    if run.broken_invariants:
        yield f"invariants are broken: {', '.join(run.broken_invariants)}"


def render(run: Run) -> str:
    """Return the report: command, machine, table."""
    lines = [f"| {label} | {value} |" for label, value in _rows(run)]
    head = [f"`{run.command}`", "", *(f"- {line}" for line in run.machine), ""]
    return "\n".join([*head, "|  |  |", "| --- | --: |", *lines])


def _rows(run: Run) -> list[tuple[str, str]]:
    verdict = run.verdict
    trouble = (
        [
            ("calls a second that Stripe allowed", f"{run.calls_a_second}"),
            ("calls refused for being above that", f"{run.refused:,}"),
        ]
        if run.calls_a_second
        else []
    )
    return [
        ("balances due at once", f"{run.balances:,}"),
        *trouble,
        ("calls answered badly", f"{run.strikes:,}"),
        ("workers killed", f"{run.kills:,}"),
        ("charged, by the bank statement", f"{verdict.charged:,}"),
        ("charged twice", f"{verdict.charged_twice:,}"),
        ("not charged", f"{verdict.not_charged:,}"),
        ("charged for no attempt of ours", f"{verdict.charged_unknown:,}"),
        ("bookings on which bank and ledger differ", f"{verdict.books_differ:,}"),
        (
            "the bank took, the ledger says",
            f"{_pesos(verdict.taken_minor)}, {_pesos(verdict.recorded_minor)}",
        ),
        ("invariants that do not hold", f"{len(run.broken_invariants)} of 18"),
        ("seconds until 95 of 100 were paid", f"{run.busy_seconds:,.0f}"),
        ("seconds until nothing was under way any more", f"{run.seconds:,.0f}"),
        ("longest from an attempt's beginning until its money was booked", f"{run.longest_attempt:,.0f} s"),
        ("attempts for which that took over two minutes", f"{run.known_late:,}"),
        (
            "jobs that come before charges, and their wait (p95)",
            f"{run.others:,}, {run.others_lateness:.2f} s",
        ),
    ]


def _pesos(amount_minor: int) -> str:
    return f"{amount_minor / 100:,.2f} MXN"
