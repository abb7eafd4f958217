"""Whatever Stripe signed is kept: what cannot be read as it came, and parked for a person."""

from __future__ import annotations

from django.db import migrations, models
from django.db.models import Q

KEEP = """
DROP TRIGGER payments_events_are_kept ON payments_stripeevent;
CREATE TRIGGER payments_events_are_kept BEFORE DELETE OR UPDATE OF event_id, type, object_id, payload, {body}received_at
    ON payments_stripeevent FOR EACH ROW EXECUTE FUNCTION payments_refuse_event_change();
"""


class Migration(migrations.Migration):
    dependencies = (("payments", "0008_unfinished"),)

    operations = (
        migrations.AddField("stripeevent", "body", models.BinaryField(null=True)),
        migrations.AlterField(
            "stripeevent",
            "state",
            models.CharField(
                "state",
                max_length=10,
                choices=[
                    ("received", "received"),
                    ("applied", "applied"),
                    ("ignored", "ignored"),
                    ("parked", "for a person"),
                ],
                default="received",
            ),
        ),
        migrations.RemoveConstraint("stripeevent", "payments_event_state_known"),
        migrations.AddConstraint(
            "stripeevent",
            models.CheckConstraint(
                name="payments_event_state_known",
                condition=Q(state__in=["received", "applied", "ignored", "parked"]),
            ),
        ),
        migrations.RunSQL(sql=KEEP.format(body="body, "), reverse_sql=KEEP.format(body="")),
    )
