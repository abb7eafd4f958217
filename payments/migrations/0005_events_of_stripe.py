"""How often Stripe repeated an event, and indexes for the list of its events."""

from __future__ import annotations

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = (("payments", "0004_job_indexes"),)

    operations = (
        # With a default in the database, so that the release before this one can still store events.
        migrations.AddField(
            "stripeevent",
            "repetitions",
            models.PositiveIntegerField("repetitions", db_default=0, default=0),
        ),
        migrations.AddIndex(
            "stripeevent", models.Index(name="payments_events_newest", fields=("received_at",))
        ),
        migrations.AddIndex(
            "stripeevent",
            models.Index(
                name="payments_events_to_apply",
                fields=("received_at",),
                condition=models.Q(state="received"),
            ),
        ),
    )
