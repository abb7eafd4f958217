"""Support and the owner see where running jobs stand."""

from __future__ import annotations

from importlib import import_module

from django.apps.registry import Apps
from django.db import migrations
from django.db.backends.base.schema import BaseDatabaseSchemaEditor

_GROUPS = import_module("reyes_estancias.migrations.0002_staff_groups")


def give_permissions(apps: Apps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    """Give those who see tracebacks what seeing stacks takes; nobody loses anything."""
    _GROUPS.make_groups(apps, schema_editor)
    alias = schema_editor.connection.alias
    permissions = apps.get_model("auth", "Permission").objects.using(alias)
    seeing = permissions.get(content_type__app_label="procrastinate_tasks", codename="view_job_stack")
    for group in apps.get_model("auth", "Group").objects.using(alias).filter(name__in=("Soporte", "Dueño")):
        group.permissions.add(seeing)


class Migration(migrations.Migration):
    dependencies = [
        ("reyes_estancias", "0011_owner_handles_guest_data"),
        ("procrastinate_tasks", "0009_what_runs_say"),
    ]
    operations = [migrations.RunPython(give_permissions, migrations.RunPython.noop, elidable=False)]
