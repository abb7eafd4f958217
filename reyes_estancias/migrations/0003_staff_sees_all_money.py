"""Staff see what came after their groups were made: disputes, and the differences with Stripe."""

from __future__ import annotations

from importlib import import_module

from django.apps.registry import Apps
from django.db import migrations
from django.db.backends.base.schema import BaseDatabaseSchemaEditor

_GROUPS = import_module("reyes_estancias.migrations.0002_staff_groups")

# Whoever closes a difference says that its money is explained, and its booking is charged again.
CLOSE_DIFFERENCES = ("Soporte", "Dueño")


def give_permissions(apps: Apps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    """Give the groups what they lack now; nobody loses anything."""
    _GROUPS.make_groups(apps, schema_editor)
    permission = apps.get_model("auth", "Permission").objects.using(schema_editor.connection.alias)
    close = permission.get(content_type__app_label="payments", codename="close_reconciliationbreak")
    groups = apps.get_model("auth", "Group").objects.using(schema_editor.connection.alias)
    for group in groups.filter(name__in=CLOSE_DIFFERENCES):
        group.permissions.add(close)


class Migration(migrations.Migration):
    dependencies = [
        ("reyes_estancias", "0002_staff_groups"),
        ("bookings", "0005_prices_a_card_can_pay"),
        ("payments", "0014_confirm_keys"),
    ]
    operations = [migrations.RunPython(give_permissions, migrations.RunPython.noop, elidable=False)]
