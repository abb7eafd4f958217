"""All staff correct the address of a guest who mistyped it."""

from __future__ import annotations

from django.apps.registry import Apps
from django.db import migrations
from django.db.backends.base.schema import BaseDatabaseSchemaEditor

GROUPS = ("Recepción", "Operación", "Soporte", "Dueño")


def give_permissions(apps: Apps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    """Give everybody what correcting takes; nobody loses anything."""
    alias = schema_editor.connection.alias
    permissions = apps.get_model("auth", "Permission").objects.using(alias)
    correcting = permissions.get(content_type__app_label="bookings", codename="change_booking")
    for group in apps.get_model("auth", "Group").objects.using(alias).filter(name__in=GROUPS):
        group.permissions.add(correcting)


class Migration(migrations.Migration):
    dependencies = [("reyes_estancias", "0007_owner_writes_the_law")]
    operations = [migrations.RunPython(give_permissions, migrations.RunPython.noop, elidable=False)]
