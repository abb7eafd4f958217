"""The record of a run: every case by its id, whether it held, and what was lived for it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.faults.case import Case
from tests.faults.catalogue import CASES, POINTS


@dataclass(frozen=True, slots=True)
class Result:
    """What became of one test."""

    passed: bool
    problem: str


def write_report(page: Path, results: Mapping[str, Result], *, seed: int, lives: int, minutes: float) -> bool:
    """Write the page. Returns whether every case held."""
    rows = [_row(case, results) for case in CASES]
    held, unrun = (sum(f"| {word} |" in row for row in rows) for word in ("held", "**not run**"))
    protocols = len({point.scenario for point in POINTS.values()})
    nothing = sum(bool(case.nothing) for case in CASES)
    broken = sorted(f"- `{name}`: {result.problem}" for name, result in results.items() if not result.passed)
    text = [
        "# What happens when something fails",
        "",
        f"Written by `make faults` (seed {seed}, {minutes:.0f} min). Of {len(CASES)} cases {held} held; for"
        f" {nothing} this house has nothing that could be struck, {unrun} were not run.",
        "",
        f"The {len(POINTS)} points at which a process can die are found by watching each commit and each call"
        f" to Stripe of {protocols} protocols: a new one without a case fails the tests. At each a"
        " process died before and after, and each call was answered badly; events were lost, doubled or out"
        f" of order, the dead worker's jobs lost or run again. {lives} more lives were struck at random. Each"
        " life ended with days without a fault; then the bank's statement, Stripe's lists and I1 to I18 were"
        " compared.",
        "",
        "| case | fault | where | what must hold | | tests |",
        "| --- | --- | --- | --- | --- | --- |",
        *rows,
        "",
        "## What did not hold",
        "",
        *(broken or ["Nothing."]),
        "",
    ]
    page.write_text("\n".join(text))
    return not broken and not unrun


def _row(case: Case, results: Mapping[str, Result]) -> str:
    holds = case.holds + (f" ({case.note.rstrip('.')})" if case.note else "")
    return f"| {case.id} | {case.fault} | {case.where} | {holds} | {_verdict(case, results)} |"


def _verdict(case: Case, results: Mapping[str, Result]) -> str:
    if case.nothing:
        return f"– | {case.nothing}"
    found = [result for test in case.tests for name, result in results.items() if _is_of(name, test)]
    missing = [test for test in case.tests if not any(_is_of(name, test) for name in results)]
    names = ", ".join(f"`{test.rpartition('::')[2]}`" for test in case.tests)
    if missing:
        return f"**not run** | {names}"
    return f"{'held' if all(result.passed for result in found) else '**not held**'} | {names}"


def _is_of(name: str, test: str) -> bool:
    return name == test or name.startswith(f"{test}[")
