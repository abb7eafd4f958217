"""Dearer dates that wait for their payment, and nights that staff block by hand."""

from __future__ import annotations

import django.contrib.postgres.constraints
import django.db.models.deletion
import django.db.models.expressions
import django.db.models.functions.comparison
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("bookings", "0008_more_time"),
    ]

    operations = [
        migrations.CreateModel(
            name="DateChange",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("open", "waits for its payment"),
                            ("applied", "applied"),
                            ("abandoned", "abandoned"),
                        ],
                        default="open",
                        max_length=10,
                        verbose_name="state",
                    ),
                ),
                ("charge_minor", models.BigIntegerField(verbose_name="to be paid first (centavos)")),
                (
                    "kept_minor",
                    models.BigIntegerField(default=0, verbose_name="kept for nights given up (centavos)"),
                ),
                ("expires_at", models.DateTimeField(verbose_name="held until")),
                ("created_at", models.DateTimeField(verbose_name="created")),
                ("ended_at", models.DateTimeField(blank=True, null=True, verbose_name="ended")),
            ],
            options={
                "verbose_name": "change of dates under way",
                "verbose_name_plural": "changes of dates under way",
                "ordering": ("-created_at",),
            },
        ),
        migrations.RemoveConstraint(
            model_name="nightblock",
            name="bookings_night_blocks_never_overlap",
        ),
        migrations.AddField(
            model_name="bookingchangelog",
            name="kept_minor",
            field=models.BigIntegerField(
                db_default=0, default=0, verbose_name="kept for nights given up (centavos)"
            ),
        ),
        migrations.AddField(
            model_name="nightblock",
            name="kind",
            field=models.CharField(
                choices=[("stay", "stay"), ("change", "change of dates"), ("manual", "by hand")],
                db_default="stay",
                default="stay",
                max_length=6,
                verbose_name="kind",
            ),
        ),
        migrations.AddField(
            model_name="nightblock",
            name="note",
            field=models.CharField(
                blank=True, db_default="", max_length=200, verbose_name="why they are blocked"
            ),
        ),
        migrations.AlterField(
            model_name="nightblock",
            name="booking",
            field=models.ForeignKey(
                blank=True,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="night_blocks",
                to="bookings.booking",
                verbose_name="booking",
            ),
        ),
        migrations.AddConstraint(
            model_name="bookingchangelog",
            constraint=models.CheckConstraint(
                condition=models.Q(("kept_minor__gte", 0)), name="bookings_kept_for_a_change_is_not_negative"
            ),
        ),
        migrations.AddConstraint(
            model_name="nightblock",
            constraint=django.contrib.postgres.constraints.ExclusionConstraint(
                condition=models.Q(("active", True)),
                expressions=(
                    ("home", "="),
                    ("nights", "&&"),
                    (
                        django.db.models.functions.comparison.Coalesce(
                            "booking",
                            django.db.models.expressions.CombinedExpression(
                                models.F("id"), "*", models.Value(-1)
                            ),
                        ),
                        "<>",
                    ),
                ),
                name="bookings_night_blocks_never_overlap",
            ),
        ),
        migrations.AddConstraint(
            model_name="nightblock",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("booking", None), ("kind", "manual")),
                    models.Q(("booking__isnull", False), ("kind__in", ("stay", "change"))),
                    _connector="OR",
                ),
                name="bookings_nights_are_blocked_for_somebody",
            ),
        ),
        migrations.AddField(
            model_name="datechange",
            name="booking",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT,
                related_name="date_changes",
                to="bookings.booking",
                verbose_name="booking",
            ),
        ),
        migrations.AddField(
            model_name="datechange",
            name="quote",
            field=models.OneToOneField(
                on_delete=django.db.models.deletion.PROTECT,
                related_name="date_change",
                to="bookings.quote",
                verbose_name="new dates",
            ),
        ),
        migrations.AddConstraint(
            model_name="datechange",
            constraint=models.UniqueConstraint(
                condition=models.Q(("state", "open")),
                fields=("booking",),
                name="bookings_one_open_change_per_booking",
            ),
        ),
        migrations.AddConstraint(
            model_name="datechange",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("ended_at", None), ("state", "open")),
                    models.Q(("ended_at__isnull", False), ("state__in", ("applied", "abandoned"))),
                    _connector="OR",
                ),
                name="bookings_change_state_makes_sense",
            ),
        ),
        migrations.AddConstraint(
            model_name="datechange",
            constraint=models.CheckConstraint(
                condition=models.Q(("charge_minor__gt", 0), ("kept_minor__gte", 0)),
                name="bookings_change_amounts_make_sense",
            ),
        ),
    ]
