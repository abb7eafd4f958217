"""The owner adds photos to homes, and takes them away; all staff see them."""

from __future__ import annotations

from importlib import import_module

from django.apps.registry import Apps
from django.db import migrations
from django.db.backends.base.schema import BaseDatabaseSchemaEditor

_GROUPS = import_module("reyes_estancias.migrations.0002_staff_groups")
_PHOTOS = ("add_propertyphoto", "change_propertyphoto", "delete_propertyphoto")


def give_permissions(apps: Apps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    """Give the owner what showing a home takes; nobody loses anything."""
    _GROUPS.make_groups(apps, schema_editor)
    alias = schema_editor.connection.alias
    permissions = apps.get_model("auth", "Permission").objects.using(alias)
    granted = permissions.filter(content_type__app_label="bookings", codename__in=_PHOTOS)
    apps.get_model("auth", "Group").objects.using(alias).get(name="Dueño").permissions.add(*granted)


class Migration(migrations.Migration):
    dependencies = [
        ("reyes_estancias", "0009_staff_takes_bookings"),
        ("bookings", "0013_photos"),
    ]
    operations = [migrations.RunPython(give_permissions, migrations.RunPython.noop, elidable=False)]
