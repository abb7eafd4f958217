"""The queues page's question: what ended in each queue, by hours."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from procrastinate.contrib.django.django_connector import DjangoConnector
from procrastinate.contrib.django.settings import settings as procrastinate_settings

from procrastinate_tasks.statements import statement
from procrastinate_tasks.viewer.queries.dashboard import DAY, HOUR, Ended

_HOURS = DAY // HOUR


def read_hours_of_queues(until: datetime) -> Mapping[str, tuple[Ended, ...]]:
    """Return the 24 hours that end with ``until``, of each queue in which something ended."""
    connector = DjangoConnector(alias=procrastinate_settings.DATABASE_ALIAS)
    hours: dict[str, list[Ended]] = {}
    for row in connector.execute_query_all(statement("rollup_of_queues"), from_at=until - DAY):
        day = hours.setdefault(row["queue_name"], [Ended()] * _HOURS)
        day[row["hour"]] = Ended(succeeded=row["succeeded"], failed=row["failed"], retried=row["retried"])
    return {name: tuple(day) for name, day in hours.items()}
