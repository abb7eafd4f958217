"""The groups of the staff: who sees the jobs, and who may do what to them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django.apps.registry import Apps
from django.contrib.auth.management import create_permissions
from django.db import migrations
from django.db.backends.base.schema import BaseDatabaseSchemaEditor

# Migrations run before Django makes the permissions of a new model.
APPS = ("procrastinate_tasks", "bookings", "payments")

SEE = ("view_job",)
OPERATE = (
    "view_job_arguments",
    "retry_job",
    "retry_money_job",
    "run_job",
    "cancel_job",
    "run_schedule",
    "view_audit",
)
SUPPORT = (
    "view_job_traceback",
    "abort_job",
    "rescue_job",
    "pause_queue",
    "limit_queue",
    "disable_schedule",
    "bulk_jobs",
)

JOBS = {
    "Recepción": SEE,
    "Operación": SEE + OPERATE,
    "Soporte": SEE + OPERATE + SUPPORT,
    "Dueño": SEE + OPERATE + SUPPORT,
}

# Everybody sees the bookings and their money; homes and their prices are the owner's to change.
OWNERS = ("add_property", "change_property")


def make_groups(apps: Apps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    """Make the groups, or give those of the same name what they lack; nobody loses anything."""
    alias = schema_editor.connection.alias
    for label in APPS:
        _make_permissions(apps, label, using=alias)
    permission = apps.get_model("auth", "Permission")
    viewing = permission.objects.using(alias).filter(
        content_type__app_label__in=("bookings", "payments"), codename__startswith="view_"
    )
    for name, codenames in JOBS.items():
        group, _ = apps.get_model("auth", "Group").objects.using(alias).get_or_create(name=name)
        group.permissions.add(*viewing, *_named(apps, "procrastinate_tasks", codenames, using=alias))
        if name == "Dueño":
            group.permissions.add(*_named(apps, "bookings", OWNERS, using=alias))


def _make_permissions(apps: Apps, label: str, *, using: str) -> None:
    config: Any = apps.get_app_config(label)
    config.models_module = True  # the state of a migration has none, and would be passed over
    create_permissions(config, apps=apps, using=using, verbosity=0)
    config.models_module = None


def _named(apps: Apps, label: str, codenames: Iterable[str], *, using: str) -> list[Any]:
    found = apps.get_model("auth", "Permission").objects.using(using)
    return [found.get(content_type__app_label=label, codename=codename) for codename in codenames]


class Migration(migrations.Migration):
    dependencies = [
        ("reyes_estancias", "0001_form_counts"),
        ("auth", "0012_alter_user_first_name_max_length"),
        ("contenttypes", "0002_remove_content_type_name"),
        ("bookings", "0002_guards"),
        ("payments", "0002_guards"),
        ("procrastinate_tasks", "0001_tables"),
    ]
    operations = [migrations.RunPython(make_groups, migrations.RunPython.noop, elidable=False)]
