"""The verb that lists the schedules, and runs, disables or enables one."""

from __future__ import annotations

from argparse import ArgumentParser

from django.core.management.base import CommandError
from django.utils.translation import gettext as _

from procrastinate_tasks.actions.policies import Action
from procrastinate_tasks.actions.services import perform
from procrastinate_tasks.command_line.output import ExitCode, Options, Output, Verb, code_of_target, error_of
from procrastinate_tasks.command_line.people import add_person_arguments, person_of
from procrastinate_tasks.schedule.state import ScheduleInfo, list_schedule

_ACTIONS = {
    "run": Action.RUN_SCHEDULE,
    "disable": Action.DISABLE_SCHEDULE,
    "enable": Action.ENABLE_SCHEDULE,
}


def add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument(
        "what",
        nargs="?",
        choices=list(_ACTIONS),
        help="defer its job now, or switch it off or on; without, list all",
    )
    parser.add_argument("name", nargs="?", help="the schedule, as the list has it")
    add_person_arguments(parser)


def run(out: Output, options: Options) -> ExitCode:
    if options["what"] is None:
        return _show(out)
    if options["name"] is None:
        raise CommandError(_("Name the schedule: jobs schedule lists them."), returncode=ExitCode.ERROR)
    return _act(_ACTIONS[options["what"]], out, options)


def _show(out: Output) -> ExitCode:
    schedule = list_schedule()
    if out.as_json:
        out.json(schedule)
        return ExitCode.DONE
    headings = (_("SCHEDULE"), _("CRON"), _("ZONE"), _("NEXT RUN"), _("LAST RUN"), _("LATE BY"), _("MISSED"))
    rows = [
        (
            item.name,
            item.cron,
            item.zone,
            _next_run(item),
            item.last_tick_at,
            item.lateness,
            item.missed_count,
        )
        for item in schedule
    ]
    out.table(headings, rows)
    return ExitCode.DONE


def _next_run(item: ScheduleInfo) -> object:
    if item.disabled_at is not None:
        return _("disabled by %(person)s") % {"person": item.disabled_by}
    return item.problem or item.next_at


def _act(action: Action, out: Output, options: Options) -> ExitCode:
    person, name = person_of(options), options["name"]
    (target,) = perform(person.request(action, [name]), may=person.may(action)).targets
    code = code_of_target(target)
    if code is not ExitCode.DONE:
        raise error_of(target)
    if out.as_json:
        out.json({"schedule": name, "changed": target.was_applied, **target.detail})
    else:
        out.line(target.sentence)
    return code


VERBS = (
    Verb(
        name="schedule",
        summary="the schedules with their last and next run; run, disable or enable one",
        run=run,
        add_arguments=add_arguments,
        example="jobs schedule run bookings.tasks.mark_expired_holds",
    ),
)
