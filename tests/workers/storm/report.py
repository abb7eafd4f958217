"""The report of a storm, in Markdown."""

# ruff: noqa: E501 - a paragraph and a row of a table are one line each

from __future__ import annotations

import os
import platform
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from tests.workers.storm.fleet import HOSTS, OPTIONS
from tests.workers.storm.orders import AT_A_TIME, PER_SECOND
from tests.workers.storm.plan import KILLS, FaultKind
from tests.workers.storm.recovery import longest_standstills, waits_for_another_run
from tests.workers.storm.storm import Aftermath
from tests.workers.storm.verdict import Verdict

_MOST_COMPLAINTS = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class Circumstances:
    """Under which a storm was run; ``load_averages`` are the machine's, before and after."""

    seed: int
    command: str
    commit: str
    postgres: str
    load_averages: tuple[float, float]


def write_report(*, aftermath: Aftermath, verdict: Verdict, circumstances: Circumstances) -> str:
    """Tells what happened, what was promised, and what became of the promises."""
    sections = [
        _summary(aftermath, verdict, circumstances),
        _promises(verdict),
        _faults(aftermath),
        _circumstances(circumstances),
    ]
    if not verdict.is_clean:
        sections.append(_complaints(verdict))
    return "\n\n".join(sections) + "\n"


def _summary(aftermath: Aftermath, verdict: Verdict, circumstances: Circumstances) -> str:
    seconds = aftermath.load_ended_at - aftermath.began_at
    evidence = aftermath.evidence
    done = sum(job.status == "succeeded" for job in evidence.jobs)
    runs_by_job = Counter(run.job_id for run in evidence.runs if not run.raised)
    kills = sum(strike.kind in KILLS for strike in aftermath.strikes)
    outcome = "Every promise was kept." if verdict.is_clean else "**PROMISES WERE BROKEN**, see the end."
    return f"""# Soak: {seconds / 60:.0f} minutes of kills, stops and restarts

{outcome} {HOSTS} workers as on {HOSTS} hosts ran under constant load while {len(aftermath.strikes)} faults struck, {kills} of them SIGKILLs.
What is said here comes from the record that the tasks write themselves, in a file, set against the queue's tables.

| | |
|---|---|
| seed | {circumstances.seed} |
| duration | {seconds:.0f} s of load, then {aftermath.calm_at - aftermath.load_ended_at:.1f} s until nothing was left to do |
| jobs | {len(evidence.jobs):,} in {len({job.order.kind for job in evidence.jobs})} kinds: async, sync, ORM writing, deferred in a job's transaction, with locks, retried, in queues limited to {AT_A_TIME} at a time and {PER_SECOND} a second |
| done | {done:,}, {done / seconds:.0f} a second |
| runs | {len(evidence.runs):,}; {sum(count > 1 for count in runs_by_job.values()):,} jobs ran more than once because a run was cut off or had lost its job |
| each worker | `{" ".join(OPTIONS)}` |"""


def _promises(verdict: Verdict) -> str:
    return f"""## Promises

| broken | promise |
|---:|---|
| {len(verdict.lost)} | no job is lost: each that was ordered ended with a run that its task noted as complete |
| {len(verdict.stuck)} | no job is left waiting or `doing` |
| {len(verdict.finished_twice)} | no job finishes twice, no effect and no job deferred with it is there twice |
| {len(verdict.out_of_order)} | jobs with one lock run one after another, in their order |
| {len(verdict.over_limit)} | no queue exceeds its limit |"""


def _faults(aftermath: Aftermath) -> str:
    counts = Counter(strike.kind for strike in aftermath.strikes)
    standstills = longest_standstills(
        strikes=aftermath.strikes, runs=aftermath.evidence.runs, ends_at=aftermath.load_ended_at
    )
    waits = waits_for_another_run(strikes=aftermath.strikes, runs=aftermath.evidence.runs)
    rows = [
        f"| {counts[kind]} | {kind.value} | {_longest(standstills.get(kind, []))}"
        f" | {len(waits.get(kind, []))} | {_longest(waits.get(kind, []))} |"
        for kind in FaultKind
    ]
    return "\n".join(
        [
            "## Faults",
            "",
            "No progress: the longest time in which no job of any kind ended, after a fault and before the next."
            " Ran again: jobs that the fault cut off, and the longest time from the fault to the beginning of their"
            " next run, waiting for locks, limits and the jobs ahead of them included.",
            "",
            "| times | fault | no progress, s | cut off | ran again after, s |",
            "|---:|---|---:|---:|---:|",
            *rows,
        ]
    )


def _longest(seconds: list[float]) -> str:
    return f"{max(seconds):.2f}" if seconds else "–"


def _circumstances(circumstances: Circumstances) -> str:
    before, after = circumstances.load_averages
    return f"""## Circumstances

| | |
|---|---|
| command | `{circumstances.command}` at commit {circumstances.commit} |
| machine | {os.cpu_count()} cores ({_processor()}), {_memory_gb():.0f} GB, {platform.system()} {platform.release()} |
| load average | {before:.1f} before it began, which is what else the machine had to do; {after:.1f} at its end |
| software | Python {platform.python_version()}, PostgreSQL {circumstances.postgres} (`fsync = off`, commits synchronous) |"""


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()


def _memory_gb() -> float:
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9


def _complaints(verdict: Verdict) -> str:
    complaints = verdict.complaints()
    shown = [f"- {complaint}" for complaint in complaints[:_MOST_COMPLAINTS]]
    if len(complaints) > _MOST_COMPLAINTS:
        shown.append(f"- and {len(complaints) - _MOST_COMPLAINTS} more")
    return "\n".join(["## Broken promises", "", *shown])
