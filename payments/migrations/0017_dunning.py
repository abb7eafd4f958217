"""When a card that said no is asked again, and e-mails that are sent once for each step of it."""

from __future__ import annotations

import django.db.models.deletion
from django.db import migrations, models

import payments.dunning_policies


class Migration(migrations.Migration):
    dependencies = [
        ("bookings", "0005_prices_a_card_can_pay"),
        ("payments", "0016_letting_go"),
    ]

    operations = [
        migrations.CreateModel(
            name="Dunning",
            fields=[
                (
                    "payment",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.PROTECT,
                        primary_key=True,
                        related_name="dunning",
                        serialize=False,
                        to="payments.payment",
                    ),
                ),
                ("step", models.PositiveSmallIntegerField(verbose_name="refusals")),
                (
                    "decline_class",
                    models.CharField(
                        choices=[
                            (payments.dunning_policies.DeclineClass["SOFT"], "the card may be asked again"),
                            (
                                payments.dunning_policies.DeclineClass["HARD"],
                                "the card must not be asked again",
                            ),
                            (payments.dunning_policies.DeclineClass["DATA"], "the guest has to do something"),
                        ],
                        max_length=4,
                        verbose_name="class",
                    ),
                ),
                ("last_code", models.CharField(max_length=100, verbose_name="decline code")),
                ("next_at", models.DateTimeField(blank=True, null=True, verbose_name="next try")),
                ("created_at", models.DateTimeField(verbose_name="created")),
                ("updated_at", models.DateTimeField(verbose_name="last change")),
            ],
            options={
                "verbose_name": "dunning",
                "verbose_name_plural": "dunning",
            },
        ),
        migrations.CreateModel(
            name="Debt",
            fields=[],
            options={
                "verbose_name": "debt",
                "verbose_name_plural": "who owes what, what comes next",
                "proxy": True,
                "default_permissions": ("view",),
                "indexes": [],
                "constraints": [],
            },
            bases=("payments.payment",),
        ),
        migrations.RemoveConstraint(
            model_name="guestemail",
            name="payments_one_email_per_cause",
        ),
        migrations.RemoveConstraint(
            model_name="guestemail",
            name="payments_email_kind_known",
        ),
        migrations.AddField(
            model_name="guestemail",
            name="version",
            field=models.PositiveIntegerField(db_default=0, default=0, verbose_name="version"),
        ),
        migrations.AddField(
            model_name="paymentattempt",
            name="advice_code",
            field=models.CharField(
                blank=True, db_default="", max_length=40, verbose_name="advice of the bank"
            ),
        ),
        migrations.AlterField(
            model_name="guestemail",
            name="kind",
            field=models.CharField(
                choices=[
                    ("confirmed", "booking confirmed"),
                    ("receipt", "balance received"),
                    ("balance_soon", "balance falls due soon"),
                    ("payment_link", "payment link"),
                    ("cancelled", "booking cancelled"),
                    ("refund_failed", "refund came back"),
                ],
                max_length=20,
                verbose_name="kind",
            ),
        ),
        migrations.AddConstraint(
            model_name="guestemail",
            constraint=models.UniqueConstraint(
                fields=("booking", "kind", "payment", "refund", "version"),
                name="payments_one_email_per_version",
                nulls_distinct=False,
            ),
        ),
        migrations.AddConstraint(
            model_name="guestemail",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    (
                        "kind__in",
                        [
                            "confirmed",
                            "receipt",
                            "balance_soon",
                            "payment_link",
                            "cancelled",
                            "refund_failed",
                        ],
                    )
                ),
                name="payments_email_kind_known",
            ),
        ),
        migrations.AddIndex(
            model_name="dunning",
            index=models.Index(
                condition=models.Q(("next_at__isnull", False)),
                fields=["next_at"],
                name="payments_dunning_due",
            ),
        ),
        migrations.AddConstraint(
            model_name="dunning",
            constraint=models.CheckConstraint(
                condition=models.Q(("step__gte", 1), ("step__lte", 8)), name="payments_dunning_ends"
            ),
        ),
        migrations.AddConstraint(
            model_name="dunning",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    (
                        "decline_class__in",
                        [
                            payments.dunning_policies.DeclineClass["SOFT"],
                            payments.dunning_policies.DeclineClass["HARD"],
                            payments.dunning_policies.DeclineClass["DATA"],
                        ],
                    )
                ),
                name="payments_dunning_class_known",
            ),
        ),
        migrations.AddConstraint(
            model_name="dunning",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("next_at__isnull", True),
                    models.Q(
                        ("decline_class", payments.dunning_policies.DeclineClass["SOFT"]), ("step__lt", 8)
                    ),
                    _connector="OR",
                ),
                name="payments_only_soft_declines_are_tried_again",
            ),
        ),
    ]
