"""The record of a run: every case by its id, whether it held, and what was lived for it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.faults.case import ANSWERS, DEATHS, Case
from tests.faults.catalogue import CASES, POINTS

_SCENARIOS = len({point.scenario for point in POINTS.values()})


@dataclass(frozen=True, slots=True)
class Result:
    """What became of one test."""

    passed: bool
    problem: str


def write_report(page: Path, results: Mapping[str, Result], *, seed: int, lives: int, minutes: float) -> bool:
    """Write the page. Returns whether every case held."""
    rows = [_row(case, results) for case in CASES]
    held, unrun = (sum(f"| {word} |" in row for row in rows) for word in ("held", "**not run**"))
    nothing = sum(bool(case.nothing) for case in CASES)
    broken = sorted(f"- `{name}`: {result.problem}" for name, result in results.items() if not result.passed)
    text = [
        "# What happens when something fails",
        "",
        f"Written by `make faults` (seed {seed}, {minutes:.0f} min). Of {len(CASES)} cases {held} held; for"
        f" {nothing} this house has nothing that could be struck, {unrun} were not run.",
        "",
        *(["**Cut short**: what is not run below has proved nothing yet.", ""] if unrun else []),
        f"The {len(POINTS)} points at which a process can die are found by watching each commit and each call"
        f" to Stripe of {_SCENARIOS} protocols: a new one without a case fails the tests. A whole run kills a"
        " process before and after each, and answers each call badly, while events are lost or doubled"
        f" and the dead worker's jobs lost or run again; {lives} lives are struck at random. Each life"
        " ends with days without a fault; then the bank, Stripe's lists and I1 to I18 are compared.",
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
    names = ", ".join(f"`{test.rpartition('::')[2]}`" for test in case.tests)
    found = {test: [results[name] for name in results if _is_of(name, test)] for test in case.tests}
    if not all(result.passed for each in found.values() for result in each):
        return f"**not held** | {names}"
    is_whole = all(
        len(each) >= (_SCENARIOS if test in (DEATHS, ANSWERS) else 1) for test, each in found.items()
    )
    return f"{'held' if is_whole else '**not run**'} | {names}"


def _is_of(name: str, test: str) -> bool:
    return name == test or name.startswith(f"{test}[")
