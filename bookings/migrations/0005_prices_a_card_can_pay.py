"""No quote whose deposit or balance Stripe would refuse; those that were made before stay as they are."""

from __future__ import annotations

from django.contrib.postgres.operations import AddConstraintNotValid
from django.db import migrations, models
from django.db.models import F, Q

LEAST, MOST = 1_000, 99_999_999


class Migration(migrations.Migration):
    dependencies = (("bookings", "0004_to_settle"),)

    operations = (
        AddConstraintNotValid(
            "quote",
            models.CheckConstraint(
                name="bookings_quote_can_be_charged",
                condition=(Q(deposit_minor=0) | Q(deposit_minor__range=(LEAST, MOST)))
                & (
                    Q(total_minor=F("deposit_minor"))
                    | Q(
                        total_minor__gte=F("deposit_minor") + LEAST,
                        total_minor__lte=F("deposit_minor") + MOST,
                    )
                ),
            ),
        ),
    )
