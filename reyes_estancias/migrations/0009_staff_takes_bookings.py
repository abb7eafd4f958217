"""Staff take bookings by telephone, close nights by hand, and see the changes of dates under way."""

from __future__ import annotations

from importlib import import_module

from django.apps.registry import Apps
from django.db import migrations
from django.db.backends.base.schema import BaseDatabaseSchemaEditor

_GROUPS = import_module("reyes_estancias.migrations.0002_staff_groups")
_OFFICE = ("add_booking", "add_nightblock")


def give_permissions(apps: Apps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    """Give every group what the office needs each day; nobody loses anything."""
    _GROUPS.make_groups(apps, schema_editor)
    alias = schema_editor.connection.alias
    permissions = apps.get_model("auth", "Permission").objects.using(alias)
    granted = permissions.filter(content_type__app_label="bookings", codename__in=_OFFICE)
    for group in apps.get_model("auth", "Group").objects.using(alias).filter(name__in=_GROUPS.JOBS):
        group.permissions.add(*granted)


class Migration(migrations.Migration):
    dependencies = [
        ("reyes_estancias", "0008_staff_corrects_addresses"),
        ("bookings", "0011_legal_texts"),
        ("payments", "0021_date_changes"),
    ]
    operations = [migrations.RunPython(give_permissions, migrations.RunPython.noop, elidable=False)]
