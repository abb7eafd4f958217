"""What an alert rule is, what it remembers, and the rules there are: the queue's own and those apps add."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from django.utils.functional import Promise

from procrastinate_tasks.exceptions import AlertRuleNameTaken
from procrastinate_tasks.monitoring.snapshot import Snapshot
from procrastinate_tasks.queries.history import ToldAlert


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One fault that a rule sees: of which queue, worker or the like, and in a sentence.

    The sentence goes out by e-mail and to other sites: no names of guests, no addresses, no arguments.
    """

    sentence: str
    subject: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertRule:
    """A fault worth telling somebody, and what to do about it.

    ``find`` looks for it in a snapshot of the queue, or in its own tables; it is called every few seconds.
    ``page`` names the address of the page that shows more; the system page does without one. ``query`` is
    what that page is filtered by, to show just what the sentence counts.
    """

    name: str
    title: str | Promise
    advice: str | Promise
    find: Callable[[Snapshot], Iterable[Finding]]
    page: str = "admin:queue_system"
    query: Callable[[ToldAlert], Mapping[str, str]] = lambda _told: {}


_rules_by_name: dict[str, AlertRule] = {}


def register_rule(rule: AlertRule) -> None:
    """Let a rule be looked after; an app does so in its ``ready()``.

    Raises:
        AlertRuleNameTaken: another rule has this name.
    """
    if _rules_by_name.setdefault(rule.name, rule) is not rule:
        raise AlertRuleNameTaken(rule.name)


def all_rules() -> tuple[AlertRule, ...]:
    return tuple(_rules_by_name.values())


@dataclass(frozen=True, slots=True, kw_only=True)
class Alert:
    """A fault that is seen: watched at first, told at ``fired_at``, not seen any more since ``calm_since``.

    ``subject`` is the queue, worker or the like; nothing where the rule has but one.
    """

    rule: str
    subject: str
    sentence: str
    seen_at: datetime
    fired_at: datetime | None = None
    calm_since: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """What one channel tells: a fault, or its end. ``tries`` counts the present one."""

    id: int
    channel: str
    rule: str
    subjects: tuple[str, ...]
    has_recovered: bool
    title: str
    text: str
    created_at: datetime
    tries: int
