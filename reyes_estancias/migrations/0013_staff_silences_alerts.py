"""Who runs the queue may silence an alert, with a note."""

from __future__ import annotations

from importlib import import_module

from django.apps.registry import Apps
from django.db import migrations
from django.db.backends.base.schema import BaseDatabaseSchemaEditor

_GROUPS = import_module("reyes_estancias.migrations.0002_staff_groups")
GROUPS = ("Operación", "Soporte", "Dueño")


def give_permissions(apps: Apps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    """Give them the permission; nobody loses anything."""
    _GROUPS.make_groups(apps, schema_editor)
    alias = schema_editor.connection.alias
    permissions = apps.get_model("auth", "Permission").objects.using(alias)
    granted = permissions.get(content_type__app_label="procrastinate_tasks", codename="silence_alert")
    for group in apps.get_model("auth", "Group").objects.using(alias).filter(name__in=GROUPS):
        group.permissions.add(granted)


class Migration(migrations.Migration):
    dependencies = [
        ("reyes_estancias", "0012_support_sees_stacks"),
        ("procrastinate_tasks", "0010_alert_silences"),
    ]
    operations = [migrations.RunPython(give_permissions, migrations.RunPython.noop, elidable=False)]
