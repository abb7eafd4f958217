"""The verbs that show one job: its description, and why it does not run."""

from __future__ import annotations

from argparse import ArgumentParser
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta

from django.core.management.base import CommandError
from django.db.models import QuerySet
from django.utils.translation import gettext as _

from procrastinate_tasks.actions import audit
from procrastinate_tasks.actions.policies import Action
from procrastinate_tasks.actions.reports import ACTION_LABELS
from procrastinate_tasks.command_line.listing import add_show_arguments, json_of
from procrastinate_tasks.command_line.output import ExitCode, Options, Output, Verb
from procrastinate_tasks.jobs import stacks
from procrastinate_tasks.jobs.descriptions import JobDescription, RetrySafety, descriptions_of
from procrastinate_tasks.jobs.states import STATE_LABELS
from procrastinate_tasks.jobs.task_options import find_options
from procrastinate_tasks.models import AuditEntry, JobProgress, TargetType
from procrastinate_tasks.queries.job import (
    Attempt,
    Event,
    find_progress,
    list_attempts,
    list_events,
    list_logs,
    progress_in_words,
    steps_of,
)
from procrastinate_tasks.queries.jobs import JobQuery, JobRow, list_jobs
from procrastinate_tasks.queues.diagnosis import Reason, why_not_running
from procrastinate_tasks.queues.policies import Cause

_MOST_ROWS = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class _Job:
    row: JobRow
    description: JobDescription
    reason: Reason
    events: Sequence[Event]
    attempts: Sequence[Attempt]
    entries: Sequence[AuditEntry]
    progress: JobProgress | None


def add_job_id(parser: ArgumentParser) -> None:
    parser.add_argument("job_id", type=int, metavar="ID")


def add_arguments(parser: ArgumentParser) -> None:
    add_job_id(parser)
    add_show_arguments(parser)
    parser.add_argument("--show-log", action="store_true", help="also print the last log lines of its runs")
    parser.add_argument("--show-traceback", action="store_true", help="also print the last traceback")


def show_why(out: Output, options: Options) -> ExitCode:
    """Tell why a job is not running."""
    reason = why_not_running(options["job_id"])
    if out.as_json:
        out.json(reason)
    elif reason.cause is not Cause.NO_SUCH_JOB:
        out.line(reason.sentence)
    if reason.cause is Cause.NO_SUCH_JOB:
        raise CommandError(reason.sentence, returncode=ExitCode.NOT_FOUND)
    return ExitCode.DONE


def show_job(out: Output, options: Options) -> ExitCode:
    """Show what is known of a job."""
    job = _read(options["job_id"])
    if out.as_json:
        out.json(_json_of(job, options))
        return ExitCode.DONE
    _write_head(out, job, options)
    _write_events(out, job)
    _write_attempts(out, job, with_traceback=options["show_traceback"])
    if options["show_log"]:
        _write_logs(out, job.row.id)
    _write_audit(out, job)
    return ExitCode.DONE


def _read(job_id: int) -> _Job:
    reason = why_not_running(job_id)
    rows = () if reason.cause is Cause.NO_SUCH_JOB else list_jobs(JobQuery(ids=(job_id,))).rows
    if not rows:
        raise CommandError(reason.sentence, returncode=ExitCode.NOT_FOUND)
    (row,) = rows
    return _Job(
        row=row,
        description=descriptions_of([row])[job_id],
        reason=reason,
        events=list_events(job_id),
        attempts=list_attempts(job_id, at_most=_MOST_ROWS)[::-1],
        entries=list(_entries_about(job_id)[:_MOST_ROWS]),
        progress=find_progress(job_id),
    )


def _entries_about(job_id: int) -> QuerySet[AuditEntry]:
    return AuditEntry.objects.filter(target_type=TargetType.JOB, target_id=str(job_id)).order_by("id")


# --- For people -------------------------------------------------------------------------------------------

_SAFETY: Mapping[RetrySafety, Callable[[], str]] = {
    RetrySafety.SAFE: lambda: _("Yes."),
    RetrySafety.SAFE_BY_KEY: lambda: _("Yes, it repeats nothing."),
    RetrySafety.UNSAFE: lambda: _("No: it may do something twice."),
    RetrySafety.UNKNOWN: lambda: _("Unknown."),
}


def _write_head(out: Output, job: _Job, options: Options) -> None:
    row, description = job.row, job.description
    out.line(_("Job %(id)s: %(sentence)s") % {"id": row.id, "sentence": description.sentence})
    out.line(f"{STATE_LABELS[row.state]}. {job.reason.sentence}")
    out.line()
    out.facts(
        [
            (_("Task"), row.task_name),
            (_("Queue"), row.queue_name),
            (_("Attempts"), row.attempts),
            (_("Progress"), progress_in_words(job.progress) if job.progress else ""),
            (_("Due"), row.scheduled_at),
            (_("Queueing lock"), row.queueing_lock),
            (_("About"), ", ".join(related.label for related in description.related)),
            (_("Is it safe to repeat?"), f"{_SAFETY[description.retry_safety]()} {description.retry_reason}"),
            (_("When it fails"), description.runbook),
            (_("Arguments"), _arguments_in_words(row, shows_all=options["show_arguments"])),
        ]
    )


def _arguments_in_words(row: JobRow, *, shows_all: bool) -> str:
    """Return the arguments that may be seen: those that log lines show, or all where they are asked for."""
    task = find_options(row.task_name)
    visible = row.args if shows_all else dict.fromkeys(task.log_fields if task else ())
    shown = ", ".join(f"{name}={row.args[name]!r}" for name in visible if name in row.args)
    hidden = len(row.args) - sum(name in row.args for name in visible)
    if not hidden:
        return shown
    left_out = _("(%(count)d hidden: --show-arguments)") % {"count": hidden}
    return f"{shown} {left_out}".strip()


def _write_events(out: Output, job: _Job) -> None:
    out.line()
    steps = [(step.at, step.label, step.lasted) for step in steps_of(job.events)]
    out.table((_("TIME"), _("EVENT"), _("TOOK")), steps)


def _write_attempts(out: Output, job: _Job, *, with_traceback: bool) -> None:
    if not job.attempts:
        return
    out.line()
    headings = (
        _("ATTEMPT"),
        _("OUTCOME"),
        _("BEGAN"),
        _("TOOK"),
        _("HOST"),
        _("RELEASE"),
        _("RESULT OR ERROR"),
    )
    out.table(headings, [_row_of(attempt) for attempt in job.attempts])
    traceback = job.attempts[-1].traceback
    if with_traceback and traceback:
        out.line()
        out.line(traceback)


def _write_logs(out: Output, job_id: int) -> None:
    for log in reversed(list_logs(job_id)):
        out.line()
        heading = _("Log lines of attempt %(number)d; left out before them: %(count)d")
        out.line(heading % {"number": log.attempt, "count": log.left_out})
        out.line(log.text)


def _row_of(attempt: Attempt) -> tuple[object, ...]:
    error = f"{attempt.exception_class.rpartition('.')[2]}: {attempt.message}"
    return (
        attempt.attempt,
        attempt.outcome_label,
        attempt.started_at,
        attempt.finished_at - attempt.started_at,
        attempt.host,
        attempt.release,
        error if attempt.exception_class else attempt.result,
    )


def _write_audit(out: Output, job: _Job) -> None:
    if not job.entries:
        return
    out.line()
    rows = [
        (
            entry.at,
            entry.actor,
            ACTION_LABELS[Action(entry.action)],
            entry.reason,
            audit.report_of(entry).sentence,
        )
        for entry in job.entries
    ]
    out.table((_("TIME"), _("WHO"), _("ACTION"), _("REASON"), _("WHAT BECAME OF IT")), rows)


# --- For scripts ------------------------------------------------------------------------------------------


def _json_of(job: _Job, options: Options) -> dict[str, object]:
    return {
        **json_of(job.row, with_arguments=options["show_arguments"]),
        "sentence": job.description.sentence,
        "retry_safety": job.description.retry_safety.value,
        "why": job.reason,
        "progress": _json_of_progress(job.progress),
        **({"logs": list_logs(job.row.id)} if options["show_log"] else {}),
        "events": [{"at": event.at, "type": event.type} for event in job.events],
        "attempts": [_json_of_attempt(attempt, options) for attempt in job.attempts],
        "actions": [
            {"at": entry.at, "actor": entry.actor, "action": entry.action, "outcome": entry.outcome}
            for entry in job.entries
        ],
    }


def _json_of_progress(progress: JobProgress | None) -> dict[str, object] | None:
    if progress is None:
        return None
    names = ("attempt", "done", "total", "text", "at")
    return {name: getattr(progress, name) for name in names}


def _json_of_attempt(attempt: Attempt, options: Options) -> dict[str, object]:
    names = [
        "attempt",
        "outcome",
        "started_at",
        "finished_at",
        "host",
        "release",
        "result",
        "exception_class",
    ]
    names += ["message", "fingerprint", *(["traceback"] if options["show_traceback"] else [])]
    return {name: getattr(attempt, name) for name in names}


# --- Where it stands --------------------------------------------------------------------------------------

_LONGEST_WAIT = 60.0


def add_stack_arguments(parser: ArgumentParser) -> None:
    add_job_id(parser)
    parser.add_argument(
        "--wait", type=float, default=10.0, metavar="SECONDS", help="how long to wait for the answer (10)"
    )


def show_stack(out: Output, options: Options) -> ExitCode:
    """Ask the worker of a running job where the job stands."""
    wait = timedelta(seconds=min(max(options["wait"], 0.0), _LONGEST_WAIT))
    found = stacks.ask(options["job_id"], within=wait)
    if found is None:
        sentence = why_not_running(options["job_id"]).sentence
        raise CommandError(sentence, returncode=ExitCode.NOT_FOUND)
    if out.as_json:
        out.json(found._asdict())
    if not found.runs:
        raise CommandError(_("The job does not run, so it stands nowhere."), returncode=ExitCode.NONE_APPLIED)
    if found.is_awaited:
        raise CommandError(_no_answer(found))
    if not out.as_json:
        out.line(found.stack)
    return ExitCode.DONE


def _no_answer(found: stacks.StackOfJob) -> str:
    if not found.is_silent:
        return _("Its worker has not answered in time; ask again.")
    return _(
        "Its process does not answer. It is busy in C code that lets nothing else run, or it is stopped."
        " At its hard time limit the job is ended with its process."
    )


VERBS = (
    Verb(
        name="show",
        summary="one job with its events, attempts and actions; 4 when there is none",
        run=show_job,
        add_arguments=add_arguments,
    ),
    Verb(
        name="why",
        summary="why a job is not running; 4 when there is none",
        run=show_why,
        add_arguments=add_job_id,
    ),
    Verb(
        name="stack",
        summary="where a running job stands now; 4 when there is none, 6 when it does not run",
        run=show_stack,
        add_arguments=add_stack_arguments,
    ),
)
