"""Which alerts fire, as a number for Prometheus."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from procrastinate_tasks.alerting.evaluation import list_firing
from procrastinate_tasks.alerting.rules import all_rules
from procrastinate_tasks.monitoring.metrics import gauge
from procrastinate_tasks.monitoring.prometheus import Metric


def alert_metrics() -> Iterator[Metric]:
    firing = Counter(alert.rule for alert in list_firing())
    yield gauge(
        "procrastinate_alerts_firing",
        "Faults of a kind that were told and are not over.",
        {rule.name: firing[rule.name] for rule in all_rules()},
        label="alert",
    )
