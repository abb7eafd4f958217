"""The verb that lists the alerts that fire, and silences one or lets it be told again."""

from __future__ import annotations

from argparse import ArgumentParser
from dataclasses import replace
from datetime import datetime

from django.core.management.base import CommandError
from django.utils.translation import gettext as _

from procrastinate_tasks.actions.policies import Action
from procrastinate_tasks.actions.services import perform
from procrastinate_tasks.command_line.output import ExitCode, Options, Output, Verb, code_of_target, error_of
from procrastinate_tasks.command_line.people import add_person_arguments, person_of
from procrastinate_tasks.command_line.queues import add_until, read_until
from procrastinate_tasks.monitoring.alerts.evaluation import list_firing
from procrastinate_tasks.monitoring.alerts.rules import Alert
from procrastinate_tasks.queries.alerts import key_of_alert

_ACTIONS = {"silence": Action.SILENCE_ALERT, "tell": Action.UNSILENCE_ALERT}


def add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument(
        "what",
        nargs="?",
        choices=list(_ACTIONS),
        help="tell it no more until it is over or much worse, or tell it again; without, list all",
    )
    parser.add_argument("rule", nargs="?", metavar="ALERT", help="the alert, as the list has it")
    parser.add_argument("subject", nargs="?", default="", help="what it concerns, as the list has it")
    add_until(parser)
    add_person_arguments(parser)


def run(out: Output, options: Options) -> ExitCode:
    if options["what"] is None:
        return _show(out)
    if options["rule"] is None:
        raise CommandError(_("Name the alert: jobs alerts lists them."), returncode=ExitCode.ERROR)
    return _act(_ACTIONS[options["what"]], out, options)


def _show(out: Output) -> ExitCode:
    alerts = list_firing()
    if out.as_json:
        out.json([_plain(alert) for alert in alerts])
        return ExitCode.DONE
    if not alerts:
        out.line(_("No alert fires."))
        return ExitCode.DONE
    headings = (_("ALERT"), _("CONCERNS"), _("SINCE"), _("SILENCED BY"), _("UNTIL"), _("WHAT IS WRONG"))
    out.table(headings, [_row_of(alert) for alert in alerts])
    return ExitCode.DONE


def _row_of(alert: Alert) -> tuple[object, ...]:
    return (
        alert.rule,
        alert.subject,
        alert.seen_at,
        alert.silenced_by,
        alert.silenced_until,
        alert.words,
    )


def _plain(alert: Alert) -> dict[str, object]:
    return {
        "alert": alert.rule,
        "subject": alert.subject,
        "sentence": alert.words,
        "since": alert.seen_at,
        "is_silenced": alert.silenced_at is not None,
        "silenced_by": alert.silenced_by,
        "silenced_until": alert.silenced_until,
        "note": alert.silence_note,
    }


def _act(action: Action, out: Output, options: Options) -> ExitCode:
    person, key = person_of(options), key_of_alert(rule=options["rule"], subject=options["subject"])
    request = replace(person.request(action, [key]), until=_until(action, options))
    (target,) = perform(request, may=person.may(action)).targets
    code = code_of_target(target)
    if code is not ExitCode.DONE:
        raise error_of(target)
    if out.as_json:
        names = {"alert": options["rule"], "subject": options["subject"]}
        out.json({**names, "changed": target.was_applied, **target.detail})
    else:
        out.line(target.sentence)
    return code


def _until(action: Action, options: Options) -> datetime | None:
    return read_until(options) if action is Action.SILENCE_ALERT else None


VERBS = (
    Verb(
        name="alerts",
        summary="the alerts that fire; silence one, with a reason, or tell it again; 4 when it is over",
        run=run,
        add_arguments=add_arguments,
        example='jobs alerts silence jobs_failing payments --for 60 --reason "Stripe is down, we wait"',
    ),
)
