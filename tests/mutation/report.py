"""docs/mutants.md: what a run found, one section a module; a run of some modules leaves the others' alone."""

from __future__ import annotations

import re
import subprocess
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from tests.mutation.bench import Verdict
from tests.mutation.mutant import Mutant

NO_REASON = "**open**"

_HEAD = """# Mutants: is each guard missed by a test when it is gone?

`make mutants` changes one condition, comparison, number, flag, call or term of a SQL statement at a time,
and runs the tests that stand nearest to the module. A mutant that no test notices *survives*: it is listed
with the reason why it may, or as {open}, which is work to do. `make mutants ARGS="jobs/policies"` runs
one module; a run rewrites the sections of its modules and keeps the reasons, which are written here by hand.
A mutant that makes a test hang counts as killed; a statement that Postgres cannot parse is no mutant.

**All modules below: {mutants} mutants, {killed} killed ({percent:.1f} %).**

| module | mutants | killed | of these by time-out | survive | open |
|---|--:|--:|--:|--:|--:|
"""


@dataclass(frozen=True, slots=True)
class Tried:
    """A mutant, the file it was in, and what became of it."""

    path: Path
    mutant: Mutant
    verdict: Verdict


def write_report(
    page: Path, results: Mapping[str, Sequence[Tried]], *, tests: Mapping[str, Sequence[str]]
) -> None:
    """Rewrite the sections of the modules that were run, and the table above them."""
    old = page.read_text() if page.exists() else ""
    sections = {part.split("\n", 1)[0]: part.strip() for part in old.split("\n## ")[1:]}
    for name, tried in results.items():
        sections[name] = _section(name, tried, tests=tests[name], reasons=_reasons(sections.get(name, "")))
    page.write_text(_page(sections, never_run=sorted(tests.keys() - sections.keys())))


def open_survivors(page: str) -> list[str]:
    """Return the lines of survivors that nobody gave a reason for."""
    return [
        line for line in page.splitlines() if line.startswith("| `") and line.endswith(f"| {NO_REASON} |")
    ]


def _page(sections: Mapping[str, str], *, never_run: Sequence[str]) -> str:
    rows, total = [], Counter[str]()
    for name in sorted(sections):
        figures = re.search(
            r"(\d+) mutants, (\d+) killed \((\d+) by time-out\), (\d+) survive", sections[name]
        )
        assert figures is not None, name
        mutants, killed, late, survive = map(int, figures.groups())
        total += Counter(mutants=mutants, killed=killed)
        unexplained = len(open_survivors(sections[name]))
        rows.append(f"| {name} | {mutants} | {killed} | {late} | {survive} | {unexplained} |")
    percent = 100 * total["killed"] / max(1, total["mutants"])
    head = _HEAD.format(open=NO_REASON, mutants=total["mutants"], killed=total["killed"], percent=percent)
    if never_run:
        rows += ["", f"Not run yet: {', '.join(never_run)}."]
    return head + "\n".join([*rows, *(f"\n## {sections[name]}" for name in sorted(sections))]) + "\n"


def _section(name: str, tried: Sequence[Tried], *, tests: Sequence[str], reasons: Mapping[str, str]) -> str:
    count = Counter(each.verdict for each in tried)
    killed = count[Verdict.KILLED] + count[Verdict.TIMED_OUT]
    survivors = [each for each in tried if each.verdict is Verdict.SURVIVED]
    lines = [
        name,
        "",
        f"{datetime.now(UTC):%Y-%m-%d}, commit {_commit()}:"
        f" {killed + len(survivors)} mutants, {killed} killed"
        f" ({count[Verdict.TIMED_OUT]} by time-out), {len(survivors)} survive. Tests: "
        + ", ".join(f"`{test}`" for test in tests)
        + ".",
    ]
    if survivors:
        lines += ["", "| where | line | change | why it may live |", "|---|---|---|---|"]
        lines += [_row(each, reasons) for each in survivors]
    return "\n".join(lines)


def _row(tried: Tried, reasons: Mapping[str, str]) -> str:
    mutant = tried.mutant
    what = f"{_code(mutant.line)} | {_code(mutant.change)}"
    return f"| `{tried.path.name}` | {what} | {reasons.get(what, NO_REASON)} |"


def _reasons(section: str) -> dict[str, str]:
    """Return the reasons written by hand, by line and change."""
    rows = re.findall(r"^\| `[^`]+` \| (.+) \| ([^|]+) \|$", section, re.MULTILINE)
    return {what: reason for what, reason in rows if reason != NO_REASON}


def _code(text: str) -> str:
    return f"`{text.replace('|', '¦').replace('`', '')}`"


def _commit() -> str:
    command = ["git", "describe", "--always", "--dirty=+"]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()
