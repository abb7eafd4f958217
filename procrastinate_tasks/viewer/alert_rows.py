"""Alerts as pages show them: their words, the page where something can be done, and their silence."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from django.utils.translation import gettext as _

from procrastinate_tasks.actions.permissions import HasPermissions, is_allowed
from procrastinate_tasks.actions.policies import Action
from procrastinate_tasks.formatting import moment_in_words
from procrastinate_tasks.monitoring.alerts.pages import query_of
from procrastinate_tasks.monitoring.alerts.rules import AlertRule, all_rules
from procrastinate_tasks.queries.alerts import ToldAlert, read_key
from procrastinate_tasks.viewer.navigation import Links


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertRow:
    """An alert that fires; ``act_url`` is where it is silenced or told again, nothing for who may not."""

    alert: ToldAlert
    title: str
    advice: str
    url: str
    act_url: str

    @property
    def heading(self) -> str:
        return _("Alert: %s") % self.title

    @property
    def silence(self) -> str:
        """By whom and until when it is silenced; nothing for one that is not."""
        alert = self.alert
        if not alert.is_silenced:
            return ""
        if alert.silenced_until is None:
            return _("Silenced by %(person)s until it is over or gets much worse") % {
                "person": alert.silenced_by
            }
        until = moment_in_words(alert.silenced_until, to_the_second=False)
        return _("Silenced by %(person)s until %(until)s") % {"person": alert.silenced_by, "until": until}


def rows_of(
    alerts: Iterable[ToldAlert], *, user: HasPermissions | None, links: Links, back: str
) -> list[AlertRow]:
    """Return the alerts whose rule the code still has, those that are silenced last."""
    rules = {rule.name: rule for rule in all_rules()}
    known = [(rules[alert.rule], alert) for alert in alerts if alert.rule in rules]
    return [
        _row(rule, alert, user=user, links=links, back=back)
        for rule, alert in sorted(known, key=lambda pair: pair[1].is_silenced)
    ]


def title_of_alert(key: str) -> str:
    """Return the title of an alert's rule and its subject, as people read them."""
    named = read_key(key)
    titles = {rule.name: str(rule.title) for rule in all_rules()}
    title = titles.get(named["rule"], named["rule"])
    return f"{title} ({named['subject']})" if named["subject"] else title


def _row(
    rule: AlertRule, alert: ToldAlert, *, user: HasPermissions | None, links: Links, back: str
) -> AlertRow:
    action = Action.UNSILENCE_ALERT if alert.is_silenced else Action.SILENCE_ALERT
    may = user is not None and is_allowed(user, action)
    return AlertRow(
        alert=alert,
        title=str(rule.title),
        advice=str(rule.advice),
        url=links.named(rule.page, **query_of(rule, alert)),
        act_url=links.to_confirm(action, back=back, target={"alert": alert.key}) if may else "",
    )
