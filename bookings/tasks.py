"""The periodic tasks of bookings, under the names the old system gave them."""

from __future__ import annotations

from django.utils import timezone

from bookings import services
from procrastinate_tasks import CatchUp, periodic, task


@periodic(cron="0 3 * * *", catch_up=CatchUp.LAST)
@task(name="bookings.tasks.mark_expired_bookings", queue="bookings")
def mark_expired_bookings() -> str:
    """Complete the stays that have ended and owe nothing. Returns ``bookings_expired=N``."""
    return f"bookings_expired={services.complete_departed(now=timezone.now())}"


@periodic(cron="0 * * * *", catch_up=CatchUp.LAST)
@task(name="bookings.tasks.mark_expired_holds", queue="bookings")
def mark_expired_holds() -> str:
    """Release the holds whose time has run out. Returns ``holds_expired=N``."""
    return f"holds_expired={services.expire_holds(now=timezone.now())}"
