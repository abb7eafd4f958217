"""Looks for faults, remembers them, and writes down once what is to be told.

Any number of processes may look: each round belongs to the one that moved its time on, and what it found is
dropped if another took over meanwhile. Nothing is sent here (see ``delivery``): no network inside a
transaction.
"""

from __future__ import annotations

import json
import logging
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, fields, replace
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings as django_settings
from django.db.models import QuerySet
from django.utils import translation

from procrastinate_tasks.conf import queue_settings
from procrastinate_tasks.database import atomic, database_alias, execute, fetch_rows, statement
from procrastinate_tasks.models import AlertState
from procrastinate_tasks.monitoring.alerts.delivery import News, write_notices
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
INSERT INTO procrastinate_tasks_alertstate
    (rule, subject, sentence, sentences, seen_at, fired_at, calm_since, measure)
VALUES (
    %(rule)s, %(subject)s, %(sentence)s, %(sentences)s::jsonb, %(seen_at)s, %(fired_at)s, %(calm_since)s,
    %(measure)s
)
ON CONFLICT (rule, subject) DO UPDATE
SET sentence = excluded.sentence, sentences = excluded.sentences, fired_at = excluded.fired_at,
    calm_since = excluded.calm_since, measure = excluded.measure
"""

_END_SILENCE = """
-- Let nobody's silence lie on an alert any more.
UPDATE procrastinate_tasks_alertstate
SET silenced_at = NULL, silenced_by = '', silence_note = '', silenced_until = NULL, silenced_measure = NULL
WHERE rule = %(rule)s AND subject = %(subject)s
"""

# In these an alert is told, whatever the project's own: the package speaks no others.
_LANGUAGES = ("en", "es")


@dataclass(frozen=True, slots=True, kw_only=True)
class EvaluationReport:
    """What one round changed: the alerts that were told, once more or at last, and those whose end was."""

    fired: tuple[Alert, ...] = ()
    returned: tuple[Alert, ...] = ()
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
    return _read(_alerts())


def list_firing() -> tuple[Alert, ...]:
    """Return the alerts that were told and are not over, the oldest first."""
    return tuple(alert for alert in list_alerts() if alert.fired_at is not None)


def _read(rows: QuerySet[AlertState]) -> tuple[Alert, ...]:
    names = (field.name for field in fields(Alert))
    return tuple(Alert(**row) for row in rows.order_by("fired_at", "rule", "subject").values(*names))


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
    # Locked: whoever silences one meanwhile waits, and is not overwritten.
    for alert in _read(_alerts().select_for_update()):
        known[alert.rule][alert.subject] = alert
    reports = [_apply_rule(rule, findings, known[rule.name], now=now) for rule, findings in found.items()]
    return EvaluationReport(
        fired=tuple(alert for report in reports for alert in report.fired),
        returned=tuple(alert for report in reports for alert in report.returned),
        recovered=tuple(alert for report in reports for alert in report.recovered),
    )


def _apply_rule(
    rule: AlertRule, findings: Findings, known: Mapping[str, Alert], *, now: datetime
) -> EvaluationReport:
    news: dict[News, list[Alert]] = {each: [] for each in News}
    for subject in sorted({*known, *findings}):
        alert, finding = known.get(subject), findings.get(subject)
        step = _decide(alert, finding, now=now)
        alert = _take(step, alert or _new_alert(rule, findings[subject], now=now), finding, now=now)
        if (what := _news_of(step, alert)) is not None:
            news[what].append(alert)
    for what, alerts in news.items():
        write_notices(rule, alerts, what, now=now)
    for alert in news[News.SILENCE]:
        _alerts().filter(rule=alert.rule, subject=alert.subject).update(silence_is_told=True)
    return EvaluationReport(
        fired=tuple(news[News.FAULT]), returned=tuple(news[News.RETURN]), recovered=tuple(news[News.END])
    )


_NEWS = {Step.FIRE: News.FAULT, Step.RETURN: News.RETURN, Step.RECOVER: News.END}


def _news_of(step: Step, alert: Alert) -> News | None:
    is_new_silence = alert.silenced_at is not None and not alert.silence_is_told
    return _NEWS.get(step, News.SILENCE if is_new_silence else None)


def _decide(alert: Alert | None, finding: Finding | None, *, now: datetime) -> Step:
    settings = queue_settings()
    memory = None
    if alert is not None:
        memory = AlertMemory(
            seen_at=alert.seen_at,
            fired_at=alert.fired_at,
            calm_since=alert.calm_since,
            silence=alert.silence,
        )
    return decide_step(
        memory,
        is_seen=finding is not None,
        now=now,
        lasting=settings.alert_lasting,
        calm_for=settings.alert_calm_for,
        measure=finding.measure if finding is not None else None,
    )


def _take(step: Step, alert: Alert, finding: Finding | None, *, now: datetime) -> Alert:
    """Write down what became of an alert, and return it as it is now; one that returns with its silence."""
    if step is Step.LEAVE:
        return _measured(alert, finding)
    if step in (Step.FORGET, Step.RECOVER):
        _alerts().filter(rule=alert.rule, subject=alert.subject).delete()
        return alert
    if step in (Step.FIRE, Step.RETURN) and finding is not None:
        alert = replace(alert, fired_at=now, measure=finding.measure, **_in_languages(alert.rule, finding))
    if step is Step.RETURN:
        execute(_END_SILENCE, rule=alert.rule, subject=alert.subject)
    alert = replace(alert, calm_since=now if step is Step.CALM else None)
    execute(_SAVE_ALERT, **{**asdict(alert), "sentences": json.dumps(dict(alert.sentences))})
    return alert


def _measured(alert: Alert, finding: Finding | None) -> Alert:
    """Keep how bad it is: whoever silences it, silences that."""
    if finding is None or finding.measure == alert.measure:
        return alert
    _alerts().filter(rule=alert.rule, subject=alert.subject).update(measure=finding.measure)
    return replace(alert, measure=finding.measure)


def _in_languages(rule: str, finding: Finding) -> dict[str, Any]:
    """Put a fault into words: in the project's language, and in those that a reader may have chosen."""
    sentence = _words(rule, finding)
    sentences = {}
    for language in _LANGUAGES:
        with translation.override(language):
            sentences[language] = _words(rule, finding)
    return {"sentence": sentence, "sentences": sentences}


def _words(rule: str, finding: Finding) -> str:
    """Ask for the sentence, which may be a project's: one that fails is told by the rule's title alone."""
    try:
        with atomic():
            return finding.words
    except Exception:
        logger.exception("An alert could not be put into words", extra={"alert": rule})
        return next((str(each.title) for each in all_rules() if each.name == rule), rule)


def _alerts() -> QuerySet[AlertState]:
    return AlertState.objects.using(database_alias())


def _new_alert(rule: AlertRule, finding: Finding, *, now: datetime) -> Alert:
    return Alert(
        rule=rule.name,
        subject=finding.subject,
        seen_at=now,
        measure=finding.measure,
        **_in_languages(rule.name, finding),
    )


def alert_metrics() -> Iterator[Metric]:
    alerts = list_firing()
    firing = Counter(alert.rule for alert in alerts)
    silenced = Counter(alert.rule for alert in alerts if alert.silenced_at is not None)
    yield gauge(
        "procrastinate_alerts_firing",
        "Faults of a kind that were told and are not over, silenced ones too.",
        {rule.name: firing[rule.name] for rule in all_rules()},
        label="alert",
    )
    yield gauge(
        "procrastinate_alerts_silenced",
        "Of those that fire, how many somebody has silenced.",
        {rule.name: silenced[rule.name] for rule in all_rules()},
        label="alert",
    )
