"""An index of the events that wait for a person: the dashboard counts them at each refresh."""

from __future__ import annotations

from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models
from django.db.models import Q


class Migration(migrations.Migration):
    atomic = False
    dependencies = (("payments", "0009_inbox"),)

    operations = (
        AddIndexConcurrently(
            "stripeevent",
            models.Index(name="payments_events_parked", fields=("received_at",), condition=Q(state="parked")),
        ),
    )
