"""An index of the bookings whose cancellation was asked for and is not settled: they are looked for all day."""

from __future__ import annotations

from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models
from django.db.models import Q


class Migration(migrations.Migration):
    atomic = False
    dependencies = (("bookings", "0003_office_indexes"),)

    operations = (
        AddIndexConcurrently(
            "booking",
            models.Index(
                name="bookings_to_settle",
                fields=("cancel_requested_at",),
                condition=Q(cancel_requested_at__isnull=False, status__in=("pending", "confirmed")),
            ),
        ),
    )
