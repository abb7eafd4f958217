"""The owner alone lets money go: a debt that nothing collects, a refund that failed."""

from __future__ import annotations

from importlib import import_module

from django.apps.registry import Apps
from django.db import migrations
from django.db.backends.base.schema import BaseDatabaseSchemaEditor

_GROUPS = import_module("reyes_estancias.migrations.0002_staff_groups")

LETTING_GO = ("waive_debt", "give_up_refund")


def give_permissions(apps: Apps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    """Give the owner what letting money go takes; nobody loses anything."""
    _GROUPS.make_groups(apps, schema_editor)
    alias = schema_editor.connection.alias
    permissions = apps.get_model("auth", "Permission").objects.using(alias)
    granted = permissions.filter(content_type__app_label="payments", codename__in=LETTING_GO)
    apps.get_model("auth", "Group").objects.using(alias).get(name="Dueño").permissions.add(*granted)


class Migration(migrations.Migration):
    dependencies = [
        ("reyes_estancias", "0004_staff_sees_invariants"),
        ("payments", "0016_letting_go"),
    ]
    operations = [migrations.RunPython(give_permissions, migrations.RunPython.noop, elidable=False)]
