"""How far we and Stripe were compared, and the differences that lock a booking."""

from __future__ import annotations

from django.db import migrations, models

import payments.policies


class Migration(migrations.Migration):
    dependencies = [
        ("bookings", "0004_to_settle"),
        ("payments", "0010_parked_events"),
    ]

    operations = [
        migrations.CreateModel(
            name="StripeMemory",
            fields=[
                ("id", models.SmallIntegerField(default=1, primary_key=True, serialize=False)),
                ("account_id", models.CharField(blank=True, max_length=255, verbose_name="Stripe account")),
                ("compared_at", models.DateTimeField(blank=True, null=True, verbose_name="compared")),
                ("locked_at", models.DateTimeField(blank=True, null=True, verbose_name="locked")),
            ],
            options={
                "verbose_name": "what we know of Stripe",
                "verbose_name_plural": "what we know of Stripe",
            },
        ),
        migrations.RemoveConstraint(
            model_name="reconciliationbreak",
            name="payments_break_kind_known",
        ),
        migrations.AlterField(
            model_name="paymentattempt",
            name="protocol_version",
            field=models.PositiveSmallIntegerField(default=2),
        ),
        migrations.AlterField(
            model_name="reconciliationbreak",
            name="kind",
            field=models.CharField(
                choices=[
                    (
                        payments.policies.BreakKind["FOREIGN_CHARGE"],
                        "Stripe took money that no attempt of ours asked for",
                    ),
                    (
                        payments.policies.BreakKind["CHARGE_DIFFERS"],
                        "a charge is not at Stripe what it is here",
                    ),
                    (
                        payments.policies.BreakKind["FOREIGN_REFUND"],
                        "Stripe paid money back that no refund of ours asked for",
                    ),
                    (
                        payments.policies.BreakKind["REFUND_DIFFERS"],
                        "a refund is not at Stripe what it is here",
                    ),
                    (
                        payments.policies.BreakKind["UNKNOWN_CUSTOMER"],
                        "Stripe does not know the guest's account with it",
                    ),
                    (
                        payments.policies.BreakKind["FORGOTTEN"],
                        "Stripe paid money back, and what asked for it was lost",
                    ),
                ],
                max_length=16,
                verbose_name="kind",
            ),
        ),
        migrations.AddConstraint(
            model_name="reconciliationbreak",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    (
                        "kind__in",
                        [
                            payments.policies.BreakKind["FOREIGN_CHARGE"],
                            payments.policies.BreakKind["CHARGE_DIFFERS"],
                            payments.policies.BreakKind["FOREIGN_REFUND"],
                            payments.policies.BreakKind["REFUND_DIFFERS"],
                            payments.policies.BreakKind["FORGOTTEN"],
                            payments.policies.BreakKind["UNKNOWN_CUSTOMER"],
                        ],
                    )
                ),
                name="payments_break_kind_known",
            ),
        ),
        migrations.AddConstraint(
            model_name="stripememory",
            constraint=models.CheckConstraint(
                condition=models.Q(("id", 1)), name="payments_stripe_memory_is_one_row"
            ),
        ),
    ]
