"""Which visitor holds nights, so that nobody holds all of them."""

from __future__ import annotations

from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models
from django.db.models import Q


class Migration(migrations.Migration):
    atomic = False
    dependencies = (("bookings", "0005_prices_a_card_can_pay"),)

    operations = (
        migrations.AddField(
            "booking",
            "held_by",
            models.CharField(max_length=32, blank=True, default="", db_default="", editable=False),
        ),
        AddIndexConcurrently(
            "booking",
            models.Index(
                name="bookings_unpaid_by_visitor",
                fields=("held_by", "created_at"),
                condition=Q(confirmed_at=None) & ~Q(held_by=""),
            ),
        ),
    )
