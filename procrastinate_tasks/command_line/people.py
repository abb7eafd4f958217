"""On whose behalf ``manage.py jobs`` acts."""

from __future__ import annotations

import getpass
import os
from argparse import ArgumentParser
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from django.contrib.auth import get_user_model
from django.core.management.base import CommandError
from django.utils.translation import gettext as _

from procrastinate_tasks.actions.job_actions import May, anybody
from procrastinate_tasks.actions.permissions import allowed_tasks
from procrastinate_tasks.actions.policies import Action
from procrastinate_tasks.actions.reports import ActionRequest, Actor
from procrastinate_tasks.command_line.output import ExitCode, Options
from procrastinate_tasks.conf import QueueLimit
from procrastinate_tasks.models import Channel

if TYPE_CHECKING:
    from django.contrib.auth.models import User


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """Who acts, and what they may: everything, unless they are named as a user of the site."""

    actor: Actor
    reason: str
    may: Callable[[Action], May]

    def request(
        self, action: Action, targets: Iterable[str], *, limit: QueueLimit | None = None
    ) -> ActionRequest:
        """Return what they want done."""
        return ActionRequest(
            action=action,
            targets=tuple(targets),
            actor=self.actor,
            reason=self.reason,
            limit=limit or QueueLimit(),
        )


def add_person_arguments(parser: ArgumentParser) -> None:
    """Add who acts, and why."""
    parser.add_argument("--reason", default="", help="why; needed for tasks that move money, and for abort")
    who = parser.add_mutually_exclusive_group()
    who.add_argument(
        "--as", dest="user", metavar="USER", help="act as a user of the site, with their permissions"
    )
    who.add_argument("--by", metavar="NAME", help="who acts, without an account (default: the system's user)")


def person_of(options: Options) -> Person:
    """Return on whose behalf to act.

    Raises:
        CommandError: there is no such user, or they are not active.
    """
    reason = options["reason"]
    if options["user"]:
        user = _find_user(options["user"])
        actor = Actor(name=user.get_username(), user_id=user.pk, channel=Channel.CLI)
        return Person(actor=actor, reason=reason, may=lambda action: allowed_tasks(user, action))
    name = (options["by"] or "").strip() or system_user()
    return Person(actor=Actor(name=name, channel=Channel.CLI), reason=reason, may=lambda action: anybody)


def system_user() -> str:
    """Return who runs this process: a name, or a number where the system knows no name."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return f"uid {os.getuid()}"


def _find_user(username: str) -> User:
    model = get_user_model()
    user = model._default_manager.filter(**{model.USERNAME_FIELD: username}, is_active=True).first()
    if user is None:
        raise CommandError(
            _("There is no active user %(name)s.") % {"name": username}, returncode=ExitCode.NOT_FOUND
        )
    return user
