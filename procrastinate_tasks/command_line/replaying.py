"""The verb that runs a failed job here, to see what it does: nothing leaves, and what it writes is undone."""

from __future__ import annotations

import asyncio
from argparse import ArgumentParser
from collections.abc import Mapping
from typing import Any

from asgiref.sync import async_to_sync
from django.core.management.base import CommandError
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from procrastinate.contrib.django import app

from procrastinate_tasks.actions import services
from procrastinate_tasks.actions.policies import Action
from procrastinate_tasks.actions.reports import TargetReport
from procrastinate_tasks.command_line.isolation import Isolation, isolated
from procrastinate_tasks.command_line.output import ExitCode, Options, Output, Verb, code_of_jobs
from procrastinate_tasks.command_line.people import add_person_arguments, person_of
from procrastinate_tasks.database import fetch_row
from procrastinate_tasks.jobs.claimed_job import ClaimedJob
from procrastinate_tasks.jobs.completion import MOST_REFUSALS, Completion
from procrastinate_tasks.jobs.context import Progress
from procrastinate_tasks.models import Outcome
from procrastinate_tasks.worker.child.runner import CallBuilder, JobRunner, fresh_context
from procrastinate_tasks.worker.child.slots import Slot
from procrastinate_tasks.worker.options import WorkerOptions

# Ctrl-C passes, and undoes all.
_ENDS_A_JOB = (Exception, asyncio.CancelledError, SystemExit)

_WHAT_STAYS: tuple[str | Promise, ...] = (
    gettext_lazy("Undone: all that the job writes to databases, and the jobs that it defers."),
    gettext_lazy(
        "Refused: the network, other processes and further database connections: the job meets an error."
    ),
    gettext_lazy("Kept back: e-mails; they are counted and not sent."),
    gettext_lazy(
        "Not undone: files and caches of this machine, numbers of sequences, and what libraries in C send."
    ),
    gettext_lazy("Rows that the job locks stay locked until it ends; Ctrl-C ends it, no time limit does."),
)

_JOB = """
-- A failed job as it was claimed for its last run.
SELECT
    id AS job_id, task_name, queue_name, priority, lock, queueing_lock, args::text AS args_json,
    greatest(attempts - 1, 0) AS attempts
FROM procrastinate_jobs
WHERE id = %(job_id)s
"""


class _NobodyListens:
    def report(self, progress: Progress) -> None:
        """A progress of what is undone is none."""

    def close(self, job_id: int) -> None:
        """Nothing was said."""


def add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("job_id", type=int, metavar="ID")
    add_person_arguments(parser)
    parser.add_argument("--yes", action="store_true", help="do it; without, only tell what stays")


def replay(out: Output, options: Options) -> ExitCode:
    """Run a failed job in this process, in a transaction that is rolled back."""
    person = person_of(options)
    request = person.request(Action.REPLAY, [str(options["job_id"])])
    do = services.perform if options["yes"] else services.preview
    (target,) = do(request, may=person.may(Action.REPLAY)).targets
    if (code := code_of_jobs([target])) is not ExitCode.DONE:
        raise CommandError(target.sentence, returncode=code)
    if not options["yes"]:
        return _tell_what_stays(out, target)
    with isolated() as isolation:
        end = run_here(options["job_id"])
    _write(out, end, isolation)
    return ExitCode.DONE if end.outcome == Outcome.SUCCEEDED.value else ExitCode.ERROR


def run_here(job_id: int) -> Completion:
    """Run a job's task with its arguments as a worker would, and record nothing."""
    assignment = ClaimedJob(
        **fetch_row(_JOB, job_id=job_id),
        scheduled_at=None,
        worker_id=None,
        crashes=0,
        refusals=MOST_REFUSALS,  # nobody waits here until the database lets it in
    )
    builder = CallBuilder(app=app, options=WorkerOptions(), stop=lambda: None, progress=_NobodyListens())
    runner = JobRunner(builder, caught=_ENDS_A_JOB, is_alone=True)
    slot = Slot(index=0, async_context=None)
    if builder.belongs_on_loop(assignment):
        return fresh_context().run(async_to_sync(runner.run_on_loop), slot, assignment)
    return runner.run_in_thread(slot, assignment)


def _tell_what_stays(out: Output, target: TargetReport) -> ExitCode:
    if out.as_json:
        out.json({"job": int(target.target), "task": target.task_name, "is_dry_run": True})
        return ExitCode.DONE
    facts = {"id": target.target, "task": target.task_name}
    out.line(_("Job %(id)s (%(task)s) would be run here. --yes does it.") % facts)
    for sentence in _WHAT_STAYS:
        out.line(f"- {sentence}")
    return ExitCode.DONE


def _write(out: Output, end: Completion, isolation: Isolation) -> None:
    if out.as_json:
        out.json(_json_of(end, isolation))
        return
    out.facts(
        [
            (_("Outcome"), Outcome(end.outcome).label),
            (_("Took"), f"{end.finished_at - end.started_at:.3f} s"),
            (_("Result"), end.result),
            (_("Error"), ": ".join(filter(None, (end.exception_class, end.message)))),
            (_("E-mails kept back"), isolation.mails),
            (_("Refused"), ", ".join(dict.fromkeys(isolation.refused))),
        ]
    )
    if end.traceback:
        out.line()
        out.line(end.traceback)


def _json_of(end: Completion, isolation: Isolation) -> Mapping[str, Any]:
    names = ("outcome", "result", "exception_class", "message", "traceback", "fingerprint")
    return {
        "job": end.job_id,
        "task": end.task_name,
        "is_dry_run": False,
        **{name: getattr(end, name) for name in names},
        "seconds": end.finished_at - end.started_at,
        "mails_kept_back": isolation.mails,
        "refused": isolation.refused,
    }


VERBS = (
    Verb(
        name="replay",
        summary="run a failed job here, undone afterwards and nothing sent; only told until --yes",
        run=replay,
        add_arguments=add_arguments,
        example="jobs replay 4521 --yes",
    ),
)
