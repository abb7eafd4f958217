"""The queue's state as JSON, for programs: times in ISO 8601, durations in seconds."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime, timedelta
from typing import Any

from django.core.serializers.json import DjangoJSONEncoder
from django.http import JsonResponse

from procrastinate_tasks.monitoring.snapshot import Snapshot
from procrastinate_tasks.viewer.cards import total_up
from procrastinate_tasks.viewer.queries.dashboard import DashboardFacts


class _Encoder(DjangoJSONEncoder):
    def default(self, o: Any) -> Any:
        if isinstance(o, timedelta):
            return o.total_seconds()
        return o.isoformat() if isinstance(o, datetime) else super().default(o)


def state_response(snapshot: Snapshot, facts: DashboardFacts) -> JsonResponse:
    """Return the snapshot with its totals; ``now`` is the database's clock."""
    totals = total_up(snapshot, blocked=sum(facts.blocked_by_queue.values()))
    state = {
        "now": snapshot.taken_at,
        "jobs": asdict(totals),
        "queues": [asdict(queue) for queue in snapshot.queues],
        "workers": [asdict(worker) for worker in snapshot.workers],
        "schedule": [asdict(item) for item in snapshot.schedule],
        "connections": asdict(snapshot.connections),
        "release": {"name": facts.release, "first_seen_at": facts.release_since},
        "charts_up_to": facts.rolled_up_to,
    }
    return JsonResponse(state, encoder=_Encoder, headers={"Cache-Control": "no-store"})
