"""Who may let money go: waive a debt, give up a refund that failed."""

from __future__ import annotations

from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [
        ("payments", "0015_invariant_checks"),
    ]

    operations = [
        migrations.AlterModelOptions(
            name="payment",
            options={
                "ordering": ("booking", "id"),
                "permissions": (("waive_debt", "Can waive debts that nothing collects"),),
                "verbose_name": "payment",
                "verbose_name_plural": "payments",
            },
        ),
        migrations.AlterModelOptions(
            name="refund",
            options={
                "ordering": ("id",),
                "permissions": (("give_up_refund", "Can give up refunds that failed"),),
                "verbose_name": "refund",
                "verbose_name_plural": "refunds",
            },
        ),
    ]
