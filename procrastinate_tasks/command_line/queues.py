"""The verbs that pause, resume and limit queues."""

from __future__ import annotations

import re
from argparse import ArgumentParser
from datetime import timedelta
from functools import partial

from django.core.management.base import CommandError
from django.utils.translation import gettext as _

from procrastinate_tasks.actions.policies import Action
from procrastinate_tasks.actions.reports import TargetReport
from procrastinate_tasks.actions.services import perform
from procrastinate_tasks.command_line.output import ExitCode, Options, Output, Verb, code_of_target, error_of
from procrastinate_tasks.command_line.people import add_person_arguments, person_of
from procrastinate_tasks.conf import QueueLimit, Rate
from procrastinate_tasks.queues.control import list_queue_rules

_RATE = re.compile(r"(?P<count>\d+)(?:/(?P<seconds>\d+(?:\.\d+)?))?")


def add_queue(parser: ArgumentParser) -> None:
    parser.add_argument("queue")
    add_person_arguments(parser)


def add_limit(parser: ArgumentParser) -> None:
    add_queue(parser)
    parser.add_argument(
        "--rate", metavar="N[/SECONDS]", help="at most N starts in so many seconds (default: 1)"
    )
    parser.add_argument("--concurrency", type=int, metavar="N", help="at most N running jobs")


def _pause_or_resume(action: Action, out: Output, options: Options) -> ExitCode:
    target = _act(action, options)
    queue, is_paused = options["queue"], action is Action.PAUSE
    if target.refusal is not None and code_of_target(target) is not ExitCode.DONE:
        raise error_of(target)
    if out.as_json:
        out.json({"queue": queue, "is_paused": is_paused, "changed": target.was_applied})
    else:
        out.line(_SENTENCES[action, target.was_applied]() % {"queue": queue})
    return ExitCode.DONE


_SENTENCES = {
    (Action.PAUSE, True): lambda: _("Queue '%(queue)s' is paused."),
    (Action.PAUSE, False): lambda: _("Queue '%(queue)s' was paused already."),
    (Action.RESUME, True): lambda: _("Queue '%(queue)s' is not paused."),
    (Action.RESUME, False): lambda: _("Queue '%(queue)s' was not paused already."),
}


def _limit(out: Output, options: Options) -> ExitCode:
    """Set a queue's limits; without any, the settings hold again."""
    target = _act(
        Action.LIMIT,
        options,
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


def _act(action: Action, options: Options, *, limit: QueueLimit | None = None) -> TargetReport:
    person = person_of(options)
    request = person.request(action, [options["queue"]], limit=limit)
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
        summary="let no worker start another job of a queue; 4 when there is no such queue",
        run=partial(_pause_or_resume, Action.PAUSE),
        add_arguments=add_queue,
        example='jobs pause payments --reason "the bank is down"',
    ),
    Verb(
        name="resume",
        summary="let workers start a queue's jobs again; 4 when there is no such queue",
        run=partial(_pause_or_resume, Action.RESUME),
        add_arguments=add_queue,
    ),
    Verb(
        name="limit",
        summary="limit a queue on all workers; without a limit the settings hold again",
        run=_limit,
        add_arguments=add_limit,
        example="jobs limit payments --rate 20/60 --concurrency 5",
    ),
)
