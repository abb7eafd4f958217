"""E-mails that are no longer true are dropped; those that wait have an index, as they are looked for all day."""

from __future__ import annotations

from django.db import migrations, models

NAME = "payments_emails_to_send"
DROP = f"DROP INDEX CONCURRENTLY IF EXISTS {NAME}"
CREATE = (
    f"CREATE INDEX CONCURRENTLY {NAME} ON payments_guestemail (created_at)"
    " WHERE (dropped_at IS NULL AND sent_at IS NULL)"
)


class Migration(migrations.Migration):
    atomic = False
    dependencies = (("payments", "0007_last_look"),)

    operations = (
        migrations.AddField(
            "guestemail",
            "dropped_at",
            models.DateTimeField("dropped", null=True, blank=True),
        ),
        migrations.SeparateDatabaseAndState(
            # Without blocking those who write, and again if an earlier try was cut short.
            database_operations=[migrations.RunSQL(sql=[DROP, CREATE], reverse_sql=DROP)],
            state_operations=[
                migrations.AddIndex(
                    "guestemail",
                    models.Index(
                        name=NAME,
                        fields=("created_at",),
                        condition=models.Q(sent_at=None, dropped_at=None),
                    ),
                )
            ],
        ),
    )
