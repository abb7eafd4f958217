"""Brings instants that only Postgres knows into the years that everybody can read.

A job may be scheduled for the year 0 or for infinity: such a row must not end the claim that reads it.
"""

from __future__ import annotations

from django.db import migrations

# A day from either end of Python's years, so that every time zone can show them.
READABLE = """
    CREATE FUNCTION procrastinate_tasks_readable_v1(instant timestamptz) RETURNS timestamptz
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN CASE
        WHEN instant < '0001-01-02 00:00:00+00'::timestamptz THEN '0001-01-02 00:00:00+00'::timestamptz
        WHEN instant > '9999-12-30 00:00:00+00'::timestamptz THEN '9999-12-30 00:00:00+00'::timestamptz
        ELSE instant
    END
"""


class Migration(migrations.Migration):
    dependencies = [("procrastinate_tasks", "0012_releases")]
    operations = [
        migrations.RunSQL(sql=READABLE, reverse_sql="DROP FUNCTION procrastinate_tasks_readable_v1"),
    ]
