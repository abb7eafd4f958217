"""Charges to saved cards whose end nobody has written down: money may have moved."""

from __future__ import annotations

from datetime import datetime

from django.conf import settings
from django.db.models import QuerySet

from payments.models import Payment
from payments.policies import AttemptState, Channel

IN_DOUBT = (AttemptState.CONFIRMING, AttemptState.UNKNOWN)

# By which the list of payments shows them alone.
IN_DOUBT_PARAMETER = "in_doubt"


def find_in_doubt(*, now: datetime) -> QuerySet[Payment]:
    """Return the payments whose charge is in doubt for longer than it takes to be told of it."""
    return Payment.objects.filter(
        attempts__state__in=IN_DOUBT,
        attempts__channel=Channel.OFF_SESSION,
        attempts__created_at__lte=now - settings.PAYMENTS_ALERT_UNKNOWN_AFTER,
    )
