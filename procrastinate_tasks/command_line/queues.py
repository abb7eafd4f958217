"""The verbs that pause, resume and limit queues."""

from __future__ import annotations

import re
from argparse import ArgumentParser
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial

from django.core.management.base import CommandError
from django.utils.translation import gettext as _

from procrastinate_tasks.actions.policies import Action
from procrastinate_tasks.actions.reports import TargetReport
from procrastinate_tasks.actions.services import perform
from procrastinate_tasks.command_line.output import ExitCode, Options, Output, Verb, code_of_target, error_of
from procrastinate_tasks.command_line.people import add_person_arguments, person_of
from procrastinate_tasks.conf import QueueLimit, Rate
from procrastinate_tasks.database import database_now
from procrastinate_tasks.queries.filters import read_instant
from procrastinate_tasks.queues.control import list_queue_rules

_LONGEST_MINUTES = 60 * 24 * 365
_RATE = re.compile(r"(?P<count>\d+)(?:/(?P<seconds>\d+(?:\.\d+)?))?")


def add_queue(parser: ArgumentParser) -> None:
    parser.add_argument("queue")
    add_person_arguments(parser)


def add_paused(parser: ArgumentParser) -> None:
    """Add what is paused: a queue, or a task."""
    parser.add_argument("queue", nargs="?", metavar="QUEUE")
    parser.add_argument("--task", metavar="NAME", help="this task, on whatever queue, instead of a queue")
    add_person_arguments(parser)


def add_pause(parser: ArgumentParser) -> None:
    add_paused(parser)
    add_until(parser)


def add_until(parser: ArgumentParser) -> None:
    """Add when it ends by itself."""
    parser.add_argument("--for", dest="minutes", type=int, metavar="MINUTES", help="it ends after so long")
    parser.add_argument("--until", metavar="TIME", help="it ends at this time, as in 2026-11-29T14:30")


def add_limit(parser: ArgumentParser) -> None:
    add_queue(parser)
    parser.add_argument(
        "--rate", metavar="N[/SECONDS]", help="at most N starts in so many seconds (default: 1)"
    )
    parser.add_argument("--concurrency", type=int, metavar="N", help="at most N running jobs")


def _pause_or_resume(action: Action, out: Output, options: Options) -> ExitCode:
    if bool(options["queue"]) == bool(options["task"]):
        raise CommandError(_("Name a queue, or a task with --task."), returncode=ExitCode.ERROR)
    name, is_paused = options["task"] or options["queue"], action is Action.PAUSE
    wanted = _OF_TASKS[action] if options["task"] else action
    target = _act(wanted, options, name=name, until=read_until(options) if is_paused else None)
    if target.refusal is not None and code_of_target(target) is not ExitCode.DONE:
        raise error_of(target)
    if out.as_json:
        kind = "task" if options["task"] else "queue"
        out.json({kind: name, "is_paused": is_paused, "changed": target.was_applied})
    else:
        out.line(_SENTENCES[wanted, target.was_applied]() % {"name": name})
    return ExitCode.DONE


_OF_TASKS = {Action.PAUSE: Action.PAUSE_TASK, Action.RESUME: Action.RESUME_TASK}
_SENTENCES = {
    (Action.PAUSE, True): lambda: _("Queue '%(name)s' is paused."),
    (Action.PAUSE, False): lambda: _("Queue '%(name)s' was paused already."),
    (Action.RESUME, True): lambda: _("Queue '%(name)s' is not paused."),
    (Action.RESUME, False): lambda: _("Queue '%(name)s' was not paused already."),
    (Action.PAUSE_TASK, True): lambda: _("Task '%(name)s' is paused."),
    (Action.PAUSE_TASK, False): lambda: _("Task '%(name)s' was paused already."),
    (Action.RESUME_TASK, True): lambda: _("Task '%(name)s' is not paused."),
    (Action.RESUME_TASK, False): lambda: _("Task '%(name)s' was not paused already."),
}


def read_until(options: Options) -> datetime | None:
    """Read when a pause, or a silence, ends by itself."""
    if options["until"]:
        until = read_instant(options["until"])
        if until is None:
            text = _("“%(text)s” is no date or time.") % {"text": options["until"]}
            raise CommandError(text, returncode=ExitCode.ERROR)
        return until
    minutes = options["minutes"]
    if minutes is not None and not 0 < minutes <= _LONGEST_MINUTES:
        raise CommandError(_("Name 1 minute or more."), returncode=ExitCode.ERROR)
    return database_now() + timedelta(minutes=minutes) if minutes else None


def _limit(out: Output, options: Options) -> ExitCode:
    """Set a queue's limits; without any, the settings hold again."""
    target = _act(
        Action.LIMIT,
        options,
        name=options["queue"],
        limit=QueueLimit(rate=_rate(options["rate"]), concurrency=options["concurrency"]),
    )
    if not target.was_applied:
        raise error_of(target)
    rules = {rule.queue: rule for rule in list_queue_rules()}
    limit = rules[options["queue"]].limit if options["queue"] in rules else QueueLimit()
    if out.as_json:
        out.json({"queue": options["queue"], **target.detail})
        return ExitCode.DONE
    out.line(
        _("Queue '%(queue)s': rate %(rate)s, running jobs %(concurrency)s.")
        % {
            "queue": options["queue"],
            "rate": rate_in_words(limit.rate) or _("unlimited"),
            "concurrency": limit.concurrency or _("unlimited"),
        }
    )
    return ExitCode.DONE


def _act(
    action: Action,
    options: Options,
    *,
    name: str,
    limit: QueueLimit | None = None,
    until: datetime | None = None,
) -> TargetReport:
    person = person_of(options)
    request = replace(person.request(action, [name], limit=limit), until=until)
    return perform(request, may=person.may(action)).targets[0]


def rate_in_words(rate: Rate | None) -> str:
    """Return a rate in words, nothing for none."""
    if rate is None:
        return ""
    return _("%(count)d per %(seconds)g s") % {"count": rate.count, "seconds": rate.per.total_seconds()}


def _rate(text: str | None) -> Rate | None:
    if text is None:
        return None
    match = _RATE.fullmatch(text)
    if match is None:
        raise CommandError(
            _("“%(text)s” is no rate. Write 20, or 20/60 for 20 a minute.") % {"text": text},
            returncode=ExitCode.ERROR,
        )
    return Rate(int(match["count"]), per=timedelta(seconds=float(match["seconds"] or 1)))


VERBS = (
    Verb(
        name="pause",
        summary="let no worker start another job of a queue or task; 4 when there is no such",
        run=partial(_pause_or_resume, Action.PAUSE),
        add_arguments=add_pause,
        example='jobs pause payments --for 30 --reason "the bank is down"',
    ),
    Verb(
        name="resume",
        summary="let workers start the jobs of a queue or task again; 4 when there is no such",
        run=partial(_pause_or_resume, Action.RESUME),
        add_arguments=add_paused,
    ),
    Verb(
        name="limit",
        summary="limit a queue on all workers; without a limit the settings hold again",
        run=_limit,
        add_arguments=add_limit,
        example="jobs limit payments --rate 20/60 --concurrency 5",
    ),
)
