"""Staff see which invariants of money and nights were checked."""

from __future__ import annotations

from importlib import import_module

from django.db import migrations

_GROUPS = import_module("reyes_estancias.migrations.0002_staff_groups")


class Migration(migrations.Migration):
    dependencies = [
        ("reyes_estancias", "0003_staff_sees_all_money"),
        ("payments", "0015_invariant_checks"),
    ]
    operations = [migrations.RunPython(_GROUPS.make_groups, migrations.RunPython.noop, elidable=False)]
