"""The verbs that act on jobs: by their numbers at once, by a filter as a bulk operation."""

from __future__ import annotations

from argparse import ArgumentParser
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

from django.core.management.base import CommandError
from django.utils.translation import gettext as _

from procrastinate_tasks.actions import services
from procrastinate_tasks.actions.policies import Action
from procrastinate_tasks.actions.reports import ActionReport, TargetReport
from procrastinate_tasks.command_line import bulk_acting
from procrastinate_tasks.command_line.filtering import add_filter_arguments, read_choice
from procrastinate_tasks.command_line.output import ExitCode, Options, Output, Verb, code_of_jobs
from procrastinate_tasks.command_line.people import add_person_arguments, person_of
from procrastinate_tasks.queries.jobs import JobQuery, list_ids
from procrastinate_tasks.queries.tabs import Tab


@dataclass(frozen=True, slots=True, kw_only=True)
class _ActionVerb:
    """A verb for an action; one that asks first only shows what it would do until it is told ``--yes``."""

    action: Action
    name: str
    summary: str
    asks_first: bool = False


_ACTION_VERBS = (
    _ActionVerb(
        action=Action.RETRY,
        name="retry",
        summary="let jobs that failed, or were cancelled or stopped, wait again",
    ),
    _ActionVerb(action=Action.RUN_NOW, name="run-now", summary="make jobs due that wait for their time"),
    _ActionVerb(action=Action.CANCEL, name="cancel", summary="cancel waiting jobs", asks_first=True),
    _ActionVerb(action=Action.ABORT, name="abort", summary="stop running jobs", asks_first=True),
    _ActionVerb(action=Action.RELEASE, name="release", summary="let jobs run again that were parked"),
    _ActionVerb(
        action=Action.RESCUE,
        name="rescue",
        summary="take jobs from workers that are lost; all of them without a number",
    ),
)


def _add_arguments(parser: ArgumentParser, *, asks_first: bool) -> None:
    parser.add_argument("job_ids", type=int, nargs="*", metavar="ID")
    add_filter_arguments(parser)
    add_person_arguments(parser)
    only_shown = "" if asks_first else " when jobs are chosen by a filter"
    parser.add_argument(
        "--yes", action="store_true", help=f"do it; without, only tell what would be done{only_shown}"
    )
    parser.add_argument("--dry-run", action="store_true", help="only tell what would be done")
    parser.add_argument("--pace", type=int, metavar="N", help="with a filter: at most so many jobs a minute")
    parser.add_argument(
        "--background", action="store_true", help="with a filter: let a worker do it, and return at once"
    )


def _run(verb: _ActionVerb, out: Output, options: Options) -> ExitCode:
    job_ids, choice = options["job_ids"], read_choice(options)
    if job_ids and not choice.is_empty:
        raise CommandError(_("Name either jobs or a filter, not both."), returncode=ExitCode.ERROR)
    if not choice.is_empty:
        return bulk_acting.run(verb.action, out, options, choice)
    if job_ids:
        return _act(verb, out, options, job_ids)
    if verb.action is Action.RESCUE:
        return _rescue_all(verb, out, options)
    text = _("Name the jobs by their numbers, or by a filter such as --state failed.")
    raise CommandError(text, returncode=ExitCode.ERROR)


def _rescue_all(verb: _ActionVerb, out: Output, options: Options) -> ExitCode:
    """Rescue whatever is orphaned; that nothing is, is good news."""
    job_ids = list_ids(JobQuery(tab=Tab.ORPHANED), limit=bulk_acting.MOST_AT_ONCE)
    if job_ids:
        return _act(verb, out, options, job_ids)
    if out.as_json:
        out.json(_json_of(ActionReport(action=verb.action, targets=())))
    else:
        out.line(_("No job is orphaned."))
    return ExitCode.DONE


def _act(verb: _ActionVerb, out: Output, options: Options, job_ids: Sequence[int]) -> ExitCode:
    person = person_of(options)
    request = person.request(verb.action, map(str, job_ids))
    only_looks = options["dry_run"] or (verb.asks_first and not options["yes"])
    report = (services.preview if only_looks else services.perform)(request, may=person.may(verb.action))
    _write(out, report, is_dry_run=options["dry_run"])
    return code_of_jobs(report.targets)


def _write(out: Output, report: ActionReport, *, is_dry_run: bool) -> None:
    if out.as_json:
        out.json(_json_of(report))
        return
    out.table(
        (
            _("JOB"),
            _("TASK"),
            _("WAS"),
            _("WHAT WOULD BECOME OF IT") if report.is_dry_run else _("WHAT BECAME OF IT"),
        ),
        [bulk_acting.row_of(target, is_dry_run=report.is_dry_run) for target in report.targets],
    )
    out.line()
    applied, everything = len(report.applied), len(report.targets)
    if report.is_dry_run:
        out.line(bulk_acting.possible_sentence(applied, of=everything, is_asked=not is_dry_run))
    else:
        values = {"applied": applied, "all": everything}
        out.line(_("Done for %(applied)d of %(all)d.") % values)


def _json_of(report: ActionReport) -> dict[str, object]:
    return {
        "action": report.action.value,
        "is_dry_run": report.is_dry_run,
        "group": report.group,
        "applied": len(report.applied),
        "refused": len(report.refused),
        "failed": len(report.failed),
        "jobs": [json_of_target(target) for target in report.targets],
    }


def json_of_target(target: TargetReport) -> dict[str, object]:
    """Return what scripts get of one job."""
    return {
        "id": int(target.target),
        "task": target.task_name,
        "outcome": target.outcome.value,
        "refusal": target.refusal,
        "sentence": target.sentence,
        **target.detail,
    }


VERBS = tuple(
    Verb(
        name=each.name,
        summary=each.summary,
        run=partial(_run, each),
        add_arguments=partial(_add_arguments, asks_first=each.asks_first),
        example=f'jobs {each.name} 4521 --reason "the bank is back"',
    )
    for each in _ACTION_VERBS
)
