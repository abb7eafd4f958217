"""The periodic tasks of the site itself."""

from __future__ import annotations

from django.contrib.sessions.models import Session
from django.utils import timezone

from procrastinate_tasks import CatchUp, periodic, task


@periodic(cron="40 4 * * *", catch_up=CatchUp.LAST)
@task(name="reyes_estancias.tasks.clear_sessions", queue="bookings")
def clear_sessions() -> str:
    """Delete the sessions that are over, and what guests typed with them. Returns ``sessions_cleared=N``."""
    cleared, _ = Session.objects.filter(expire_date__lt=timezone.now()).delete()
    return f"sessions_cleared={cleared}"
