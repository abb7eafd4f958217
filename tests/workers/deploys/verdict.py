"""Judges rolling deploys by the queue's tables and the tasks' own ledger, and writes the report."""

# ruff: noqa: E501 - a paragraph and a row of a table are one line each

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, fields
from pathlib import Path

from tests.workers.deploys.rolling import Rolled, seconds_until_started
from tests.workers.postgres import Server
from tests.workers.storm.ledger import read_runs

_UNDONE = "SELECT id, task_name, status::text FROM procrastinate_jobs WHERE status <> 'succeeded'"
_FAILURES = """
SELECT job_id, outcome, exception_class, left(message, 300) FROM procrastinate_tasks_jobattempt
WHERE outcome NOT IN ('succeeded', 'interrupted', 'crashed')
"""
_TWICE = """
SELECT job_id, count(*) FROM procrastinate_tasks_jobattempt
WHERE outcome = 'succeeded' GROUP BY job_id HAVING count(*) > 1
"""
_CHARGED = """
SELECT job.id, job.attempts, crashes.count
FROM procrastinate_jobs AS job, LATERAL (
    SELECT count(*) FROM procrastinate_tasks_jobattempt AS attempt
    WHERE attempt.job_id = job.id AND attempt.outcome = 'crashed'
) AS crashes
WHERE job.status = 'succeeded' AND job.attempts > 1 + crashes.count
"""
_JOBS = "SELECT count(*) FROM procrastinate_jobs"
_OUTCOMES = "SELECT outcome, count(*) FROM procrastinate_tasks_jobattempt GROUP BY outcome ORDER BY 2 DESC"


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """Each field lists, in words, what broke that promise."""

    undone: list[str]
    failed: list[str]
    finished_twice: list[str]
    charged: list[str]

    @property
    def complaints(self) -> list[str]:
        return [complaint for field in fields(self) for complaint in getattr(self, field.name)]


def judge(server: Server, ledger: Path) -> Verdict:
    """Compares the tables with what the tasks noted, once nothing is left to do."""
    complete = Counter(run.job_id for run in read_runs(ledger) if run.is_complete)
    return Verdict(
        undone=[
            *(f"job {job_id} ({task}) is {status}" for job_id, task, status in server.rows(_UNDONE)),
            *_without_a_complete_run(server, complete),
        ],
        failed=[
            f"job {job_id} ended {outcome}: {error}: {message}"
            for job_id, outcome, error, message in server.rows(_FAILURES)
        ],
        finished_twice=[f"job {job_id} succeeded {count} times" for job_id, count in server.rows(_TWICE)],
        charged=[
            f"job {job_id} has {attempts} attempts, and {crashes} of its runs were killed"
            for job_id, attempts, crashes in server.rows(_CHARGED)
        ],
    )


def _without_a_complete_run(server: Server, complete: Counter[int]) -> list[str]:
    rows = server.rows("SELECT id FROM procrastinate_jobs WHERE status = 'succeeded'")
    return [f"job {job_id} succeeded without a run" for (job_id,) in rows if not complete[job_id]]


def write_report(
    *, server: Server, rolled: Rolled, verdict: Verdict, ledger: Path, command: str, machine: list[str]
) -> str:
    """Tells what was done and what became of each promise, in Markdown."""
    ((jobs,),) = server.rows(_JOBS)
    outcomes = ", ".join(f"{count:,} {outcome}" for outcome, count in server.rows(_OUTCOMES))
    seconds = sorted(seconds_until_started(rolled, ledger))
    kinds = Counter(kind.value for _, kind in rolled.kills)
    kills = ", ".join(f"{count} × {kind}" for kind, count in kinds.items())
    lines = [
        f"# Rolling deploys: {len(rolled.arrivals)} back and forth between two releases\n",
        "Two checkouts of the project serve one database: this commit, and one that adds a task, renames one, removes one, and gives one an argument more. "
        "Each deploy starts the incoming release, lets both work side by side under load while somebody is killed again and again, and stops the outgoing one.\n",
        f"Made by `{command}`.\n",
        "| | |\n|---|---|",
        f"| deploys | {len(rolled.arrivals)} |",
        f"| kills | {len(rolled.kills)}: {kills} |",
        f"| jobs | {jobs:,} |",
        f"| runs, by how they ended | {outcomes} |",
        f"| a worker that is up starts a job that only it knows after | median {seconds[len(seconds) // 2]:.2f} s, longest {seconds[-1]:.2f} s ({len(seconds)} arrivals that no kill met first) |",
        *(f"| {name} | {value} |" for name, value in (line.split(": ", 1) for line in machine)),
        "\n## Promises\n",
        "| broken | promise |\n|---:|---|",
        f"| {len(verdict.undone)} | each job ends, and by a run that its task noted as complete |",
        f"| {len(verdict.failed)} | no job fails because a release does not know its task or its arguments |",
        f"| {len(verdict.finished_twice)} | no job succeeds twice |",
        f"| {len(verdict.charged)} | no attempt is charged but for a run that was killed |",
        *(
            ["\n## Broken\n", *(f"- {complaint}" for complaint in verdict.complaints[:50])]
            if verdict.complaints
            else []
        ),
    ]
    return "\n".join(lines) + "\n"
