"""What an alert rule is, what it remembers, and the rules there are: the queue's own and those apps add."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from django.utils.functional import Promise

from procrastinate_tasks.conf import AlertThresholds, queue_settings
from procrastinate_tasks.exceptions import AlertRuleNameTaken
from procrastinate_tasks.monitoring.policies import Silence
from procrastinate_tasks.monitoring.snapshot import Snapshot
from procrastinate_tasks.queries.alerts import ToldAlert, in_active_language, key_of_alert


def thresholds() -> AlertThresholds:
    """Return from where on the queue's own rules find something."""
    return queue_settings().alert_thresholds


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One fault that a rule sees: of which queue, worker or the like, and in a sentence.

    The sentence goes out by e-mail and to other sites: no names of guests, no addresses, no arguments. One
    that is called is asked for in each language of those who read it, and only when it is told. ``measure``
    grows as the fault gets worse: a silenced alert comes back when it has grown by half.
    """

    sentence: str | Callable[[], str]
    subject: str = ""
    measure: float | None = None

    @property
    def words(self) -> str:
        """The sentence in the active language."""
        return self.sentence if isinstance(self.sentence, str) else self.sentence()


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

    ``subject`` is the queue, worker or the like; nothing where the rule has but one. ``measure`` is how bad
    it is now; the rest, of one that is silenced, by whom, why, until when, how bad it was then, and whether
    the channels know.
    """

    rule: str
    subject: str
    sentence: str
    seen_at: datetime
    fired_at: datetime | None = None
    calm_since: datetime | None = None
    sentences: Mapping[str, str] = field(default_factory=dict)
    measure: float | None = None
    silenced_at: datetime | None = None
    silenced_by: str = ""
    silence_note: str = ""
    silenced_until: datetime | None = None
    silenced_measure: float | None = None
    silence_is_told: bool = False

    @property
    def key(self) -> str:
        return key_of_alert(rule=self.rule, subject=self.subject)

    @property
    def words(self) -> str:
        """What is wrong, in the active language."""
        return in_active_language(self.sentence, self.sentences)

    @property
    def silence(self) -> Silence | None:
        """How it is silenced, if it is."""
        if self.silenced_at is None:
            return None
        return Silence(until=self.silenced_until, measure=self.silenced_measure)


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """What one channel tells: a fault, its end, or that it is silenced. ``tries`` counts the present one."""

    id: int
    channel: str
    rule: str
    subjects: tuple[str, ...]
    has_recovered: bool
    is_silenced: bool
    title: str
    text: str
    created_at: datetime
    tries: int
