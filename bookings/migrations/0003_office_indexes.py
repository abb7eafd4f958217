"""Indexes for the office: the newest bookings, those that arrive or fall due on a day, those of a guest."""

from __future__ import annotations

from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models
from django.db.models.functions import Upper


class Migration(migrations.Migration):
    atomic = False
    dependencies = (("bookings", "0002_guards"),)

    operations = (
        AddIndexConcurrently("booking", models.Index(name="bookings_newest", fields=("created_at",))),
        AddIndexConcurrently("booking", models.Index(name="bookings_arrivals", fields=("arrival_at",))),
        AddIndexConcurrently(
            "booking", models.Index(name="bookings_balance_days", fields=("balance_due_at",))
        ),
        AddIndexConcurrently("booking", models.Index(Upper("guest_email"), name="bookings_guest_email")),
    )
