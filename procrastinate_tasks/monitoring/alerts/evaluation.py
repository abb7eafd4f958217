"""Looks for faults, remembers them, and writes down once what is to be told.

Any number of processes may look: each round belongs to the one that moved its time on, and what it found is
dropped if another took over meanwhile. Nothing is sent here (see ``delivery``): no network inside a
transaction.
"""

from __future__ import annotations

import logging
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, fields, replace
from datetime import datetime, timedelta

from django.conf import settings as django_settings
from django.db.models import QuerySet
from django.utils import translation

from procrastinate_tasks.conf import queue_settings
from procrastinate_tasks.database import atomic, database_alias, execute, fetch_rows, statement
from procrastinate_tasks.models import AlertState
from procrastinate_tasks.monitoring.alerts.delivery import write_notices
from procrastinate_tasks.monitoring.alerts.rules import Alert, AlertRule, Finding, all_rules
from procrastinate_tasks.monitoring.metrics import Metric, gauge
from procrastinate_tasks.monitoring.policies import AlertMemory, Step, decide_step
from procrastinate_tasks.monitoring.snapshot import Snapshot, take_snapshot

logger = logging.getLogger(__name__)

Findings = Mapping[str, Finding]

LOCK_ROUND = """
-- Hold the round while its findings are written down, unless another process has begun a later one. The
-- server ends a session that falls silent meanwhile: its process is frozen, and the round would be held for
-- as long as that lasts.
WITH patience AS MATERIALIZED (
    SELECT set_config('idle_in_transaction_session_timeout', '5s', true)
)
SELECT round.id FROM procrastinate_tasks_alertround AS round, patience
WHERE round.evaluated_at = %(round_at)s
FOR UPDATE OF round SKIP LOCKED
"""

_SAVE_ALERT = """
-- Remember a fault.
INSERT INTO procrastinate_tasks_alertstate (rule, subject, sentence, seen_at, fired_at, calm_since)
VALUES (%(rule)s, %(subject)s, %(sentence)s, %(seen_at)s, %(fired_at)s, %(calm_since)s)
ON CONFLICT (rule, subject) DO UPDATE
SET sentence = excluded.sentence, fired_at = excluded.fired_at, calm_since = excluded.calm_since
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class EvaluationReport:
    """What one round changed: the alerts that were told, and those whose end was."""

    fired: tuple[Alert, ...] = ()
    recovered: tuple[Alert, ...] = ()


def run_once(*, every: timedelta | None = None) -> EvaluationReport | None:
    """Look once; None when the round is another process's.

    A rule that fails is logged, and its alerts stay as they are.

    Args:
        every: at least this long after the last round, ``PROCRASTINATE_TASKS_ALERT_EVERY`` by default.
    """
    pause = queue_settings().alert_every if every is None else every
    begun = fetch_rows(statement("monitoring/begin_alert_round"), every=pause)
    if not begun:
        return None
    round_at = begun[0]["evaluated_at"]
    with translation.override(django_settings.LANGUAGE_CODE):
        found = _find(take_snapshot())
        with atomic():
            if not fetch_rows(LOCK_ROUND, round_at=round_at):
                return None
            return _apply(found, now=round_at)


def list_alerts() -> tuple[Alert, ...]:
    """Return the faults that are watched (``fired_at`` is None) or were told, the longest told first."""
    rows = _alerts().order_by("fired_at", "rule", "subject").values(*(field.name for field in fields(Alert)))
    return tuple(Alert(**row) for row in rows)


def list_firing() -> tuple[Alert, ...]:
    """Return the alerts that were told and are not over, the oldest first."""
    return tuple(alert for alert in list_alerts() if alert.fired_at is not None)


def _find(snapshot: Snapshot) -> dict[AlertRule, Findings]:
    found: dict[AlertRule, Findings] = {}
    for rule in all_rules():
        try:
            with atomic():
                found[rule] = {finding.subject: finding for finding in rule.find(snapshot)}
        except Exception:
            logger.exception("Alert rule failed", extra={"alert": rule.name})
    return found


def _apply(found: Mapping[AlertRule, Findings], *, now: datetime) -> EvaluationReport:
    known: dict[str, dict[str, Alert]] = defaultdict(dict)
    for alert in list_alerts():
        known[alert.rule][alert.subject] = alert
    reports = [_apply_rule(rule, findings, known[rule.name], now=now) for rule, findings in found.items()]
    return EvaluationReport(
        fired=tuple(alert for report in reports for alert in report.fired),
        recovered=tuple(alert for report in reports for alert in report.recovered),
    )


def _apply_rule(
    rule: AlertRule, findings: Findings, known: Mapping[str, Alert], *, now: datetime
) -> EvaluationReport:
    fired: list[Alert] = []
    recovered: list[Alert] = []
    for subject in sorted({*known, *findings}):
        alert, finding = known.get(subject), findings.get(subject)
        step = _decide(alert, is_seen=finding is not None, now=now)
        alert = _take(step, alert or _new_alert(rule, findings[subject], now=now), finding, now=now)
        if step is Step.FIRE:
            fired.append(alert)
        elif step is Step.RECOVER:
            recovered.append(alert)
    write_notices(rule, fired, has_recovered=False, now=now)
    write_notices(rule, recovered, has_recovered=True, now=now)
    return EvaluationReport(fired=tuple(fired), recovered=tuple(recovered))


def _decide(alert: Alert | None, *, is_seen: bool, now: datetime) -> Step:
    settings = queue_settings()
    memory = None
    if alert is not None:
        memory = AlertMemory(seen_at=alert.seen_at, fired_at=alert.fired_at, calm_since=alert.calm_since)
    return decide_step(
        memory, is_seen=is_seen, now=now, lasting=settings.alert_lasting, calm_for=settings.alert_calm_for
    )


def _take(step: Step, alert: Alert, finding: Finding | None, *, now: datetime) -> Alert:
    """Write down what became of an alert, and return it as it is now."""
    if step is Step.LEAVE:
        return alert
    if step in (Step.FORGET, Step.RECOVER):
        _alerts().filter(rule=alert.rule, subject=alert.subject).delete()
        return alert
    if step is Step.FIRE and finding is not None:
        alert = replace(alert, fired_at=now, sentence=finding.sentence)
    alert = replace(alert, calm_since=now if step is Step.CALM else None)
    execute(_SAVE_ALERT, **asdict(alert))
    return alert


def _alerts() -> QuerySet[AlertState]:
    return AlertState.objects.using(database_alias())


def _new_alert(rule: AlertRule, finding: Finding, *, now: datetime) -> Alert:
    return Alert(rule=rule.name, subject=finding.subject, sentence=finding.sentence, seen_at=now)


def alert_metrics() -> Iterator[Metric]:
    firing = Counter(alert.rule for alert in list_firing())
    yield gauge(
        "procrastinate_alerts_firing",
        "Faults of a kind that were told and are not over.",
        {rule.name: firing[rule.name] for rule in all_rules()},
        label="alert",
    )
