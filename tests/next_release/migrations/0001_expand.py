"""Adds to tables that every charge uses; each statement needs a lock that shuts everybody out for a moment."""

from __future__ import annotations

from django.db import migrations


class Migration(migrations.Migration):
    dependencies = (("payments", "0001_tables"), ("procrastinate_tasks", "0001_tables"))

    operations = (
        migrations.RunSQL("ALTER TABLE procrastinate_jobs ADD COLUMN next_release text"),
        migrations.RunSQL("ALTER TABLE payments_payment ADD COLUMN next_release text"),
        migrations.RunSQL("SELECT pg_sleep(0.2)"),  # as long as a big table's index, in small
    )
