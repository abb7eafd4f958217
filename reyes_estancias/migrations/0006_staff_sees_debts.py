"""Staff see who owes what, and what comes next."""

from __future__ import annotations

from importlib import import_module

from django.db import migrations

_GROUPS = import_module("reyes_estancias.migrations.0002_staff_groups")


class Migration(migrations.Migration):
    dependencies = [
        ("reyes_estancias", "0005_owner_lets_money_go"),
        ("payments", "0017_dunning"),
    ]
    operations = [migrations.RunPython(_GROUPS.make_groups, migrations.RunPython.noop, elidable=False)]
