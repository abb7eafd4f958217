"""One payment at a time that other dates wait for, made by attempts of the third version."""

from __future__ import annotations

from django.db import migrations, models

import payments.policies


class Migration(migrations.Migration):
    dependencies = [
        ("bookings", "0010_change_guards"),
        ("payments", "0020_events_until"),
    ]

    operations = [
        migrations.AlterField(
            model_name="paymentattempt",
            name="protocol_version",
            field=models.PositiveSmallIntegerField(default=3),
        ),
        migrations.AddConstraint(
            model_name="payment",
            constraint=models.UniqueConstraint(
                condition=models.Q(
                    (
                        "kind__in",
                        [payments.policies.PaymentKind["TOPUP"], payments.policies.PaymentKind["EXTENSION"]],
                    ),
                    models.Q(
                        (
                            "status__in",
                            [
                                payments.policies.PaymentStatus["PAID"],
                                payments.policies.PaymentStatus["VOID"],
                            ],
                        ),
                        _negated=True,
                    ),
                ),
                fields=("booking",),
                name="payments_one_open_surcharge_per_booking",
            ),
        ),
    ]
