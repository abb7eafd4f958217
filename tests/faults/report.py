"""The record of a run: every case by its id, whether it held, and what was lived for it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from tests.faults.case import ANSWERS, DEATHS, Case
from tests.faults.catalogue import CASES, POINTS

_SCENARIOS = len({point.scenario for point in POINTS.values()})


@dataclass(frozen=True, slots=True)
class Result:
    """What became of one test; ``struck``: how often it struck, by case."""

    passed: bool
    problem: str
    struck: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Run:
    """How the tests were run; ``load`` is the machine's load average at the beginning and at the end."""

    seed: int
    lives: int
    is_thorough: bool
    minutes: float
    load: tuple[float, float]

    @property
    def command(self) -> str:
        thorough = ["--thorough"] if self.is_thorough else []
        return f"make faults ARGS='{' '.join([f'--seed {self.seed}', f'--lives {self.lives}', *thorough])}'"


def write_report(page: Path, results: Mapping[str, Result], run: Run) -> bool:
    """Write the page. Returns whether every case held."""
    rows = [_row(case, results) for case in CASES]
    held, unrun = (sum(f"| {word} |" in row for row in rows) for word in ("held", "**not run**"))
    nothing = sum(bool(case.nothing) for case in CASES)
    broken = sorted(f"- `{name}`: {result.problem}" for name, result in results.items() if not result.passed)
    text = [
        "# What happens when something fails",
        "",
        f"Written by one run of `{run.command}`: {len(results):,} tests in {run.minutes:.0f} min, the load"
        f" of the machine {run.load[0]:.1f} before and {run.load[1]:.1f} after. Of {len(CASES)} cases {held}"
        f" held; for {nothing} this house has nothing that could be struck, {unrun} were not run.",
        "",
        *(["**Cut short**: what is not run below has proved nothing yet.", ""] if unrun else []),
        f"The {len(POINTS)} points at which a process can die are found by watching each commit and each call"
        f" to Stripe of {_SCENARIOS} protocols: a new one without a case fails the tests. This run killed a"
        f" process {_struck(DEATHS, results):,} times, before and after each, and had calls answered badly"
        f" {_struck(ANSWERS, results):,} times, while events were lost, doubled or out of order and the dead"
        f" worker's jobs lost or run again; {run.lives} more lives were struck at random. A strike that meets"
        " nobody fails its test. Each life ends with days without a fault; then the bank, Stripe's lists and"
        " I1 to I18 are compared.",
        "",
        "*Struck*: deaths at the case's own points, bad answers, and the tests beside them, with variants.",
        "",
        "| case | fault | where | what must hold | | struck | tests |",
        "| --- | --- | --- | --- | --- | --- | --- |",
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
        return f"– | – | {case.nothing}"
    names = ", ".join(f"`{test.rpartition('::')[2]}`" for test in case.tests)
    return f"{_word(case, results)} | {_how_often(case, results)} | {names}"


def _word(case: Case, results: Mapping[str, Result]) -> str:
    found = {test: _results_of(test, results) for test in case.tests}
    own = {point.scenario for point in POINTS.values() if case.is_everywhere or point.case == case.id}
    own_deaths = [results[name] for name in (f"{DEATHS}[{each}]" for each in own) if name in results]
    if not all(result.passed for result in own_deaths) or not all(
        result.passed for test, each in found.items() if test != DEATHS for result in each
    ):
        return "**not held**"
    is_whole = all(
        len(each) >= (_SCENARIOS if test in (DEATHS, ANSWERS) else 1) for test, each in found.items()
    )
    return "held" if is_whole else "**not run**"


def _how_often(case: Case, results: Mapping[str, Result]) -> str:
    counts = (
        ("death", _struck(DEATHS, results, *(() if case.is_everywhere else (case.id,)))),
        ("answer", _struck(ANSWERS, results) if ANSWERS in case.tests else 0),
        (
            "test",
            sum(len(_results_of(test, results)) for test in case.tests if test not in (DEATHS, ANSWERS)),
        ),
    )
    return ", ".join(f"{count} {what}{'s' if count > 1 else ''}" for what, count in counts if count)


def _struck(test: str, results: Mapping[str, Result], *cases: str) -> int:
    """Count the strikes of a test, for some cases or for all."""
    struck = (each for result in _results_of(test, results) for each in result.struck.items())
    return sum(count for case, count in struck if not cases or case in cases)


def _results_of(test: str, results: Mapping[str, Result]) -> list[Result]:
    return [result for name, result in results.items() if name == test or name.startswith(f"{test}[")]
