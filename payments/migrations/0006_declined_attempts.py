"""An index of the declined attempts by when they were: each alert round counts those of the last hour."""

from __future__ import annotations

from django.db import migrations, models

NAME = "payments_attempts_declined"
DROP = f"DROP INDEX CONCURRENTLY IF EXISTS {NAME}"
CREATE = (
    f"CREATE INDEX CONCURRENTLY {NAME} ON payments_paymentattempt (updated_at) WHERE (state = 'declined')"
)


class Migration(migrations.Migration):
    atomic = False
    dependencies = (("payments", "0005_events_of_stripe"),)

    operations = (
        migrations.SeparateDatabaseAndState(
            # Without blocking those who write, and again if an earlier try was cut short.
            database_operations=[migrations.RunSQL(sql=[DROP, CREATE], reverse_sql=DROP)],
            state_operations=[
                migrations.AddIndex(
                    "paymentattempt",
                    models.Index(name=NAME, fields=("updated_at",), condition=models.Q(state="declined")),
                )
            ],
        ),
    )
