"""The groups of the staff: who sees the jobs, the bookings and their money, and who may do what to them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django.apps.registry import Apps
from django.contrib.auth.management import create_permissions
from django.db import migrations
from django.db.backends.base.schema import BaseDatabaseSchemaEditor

# Migrations run before Django makes the permissions of a new model.
APPS = ("procrastinate_tasks", "bookings", "payments")

SEE_JOBS = ("view_job",)
OPERATE_JOBS = (
    "view_job_arguments",
    "retry_job",
    "retry_money_job",
    "run_job",
    "cancel_job",
    "run_schedule",
    "silence_alert",
    "view_audit",
)
SUPPORT_JOBS = (
    "view_job_traceback",
    "view_job_stack",
    "abort_job",
    "rescue_job",
    "pause_queue",
    "limit_queue",
    "disable_schedule",
    "bulk_jobs",
)
# Everybody takes bookings by telephone, corrects the address of a guest who mistyped it, closes nights by hand.
OFFICE = ("add_booking", "change_booking", "add_nightblock")
# Homes with their prices and photos, and the texts that guests agree to, are the owner's.
OWN_HOMES = (
    "add_property",
    "change_property",
    "add_propertyphoto",
    "change_propertyphoto",
    "delete_propertyphoto",
    "add_legaltext",
)
# Whoever closes a difference with Stripe says that its money is explained, and its booking is charged again.
EXPLAIN_MONEY = ("close_reconciliationbreak",)
# The owner alone lets money go (a debt that nothing collects, a refund that failed), and hands guests their data or
# erases it.
OWN_MONEY = ("waive_debt", "give_up_refund", "handle_guest_data")

GROUPS = {
    "Recepción": {
        "procrastinate_tasks": SEE_JOBS,
        "bookings": OFFICE,
    },
    "Operación": {
        "procrastinate_tasks": SEE_JOBS + OPERATE_JOBS,
        "bookings": OFFICE,
    },
    "Soporte": {
        "procrastinate_tasks": SEE_JOBS + OPERATE_JOBS + SUPPORT_JOBS,
        "bookings": OFFICE,
        "payments": EXPLAIN_MONEY,
    },
    "Dueño": {
        "procrastinate_tasks": SEE_JOBS + OPERATE_JOBS + SUPPORT_JOBS,
        "bookings": OFFICE + OWN_HOMES,
        "payments": EXPLAIN_MONEY + OWN_MONEY,
    },
}


def make_groups(apps: Apps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    """Make the groups, or give those of the same name what they lack; nobody loses anything."""
    alias = schema_editor.connection.alias
    for label in APPS:
        _make_permissions(apps, label, using=alias)
    # Everybody sees the bookings and their money.
    viewing = (
        apps.get_model("auth", "Permission")
        .objects.using(alias)
        .filter(content_type__app_label__in=("bookings", "payments"), codename__startswith="view_")
    )
    for name, granted in GROUPS.items():
        group, _ = apps.get_model("auth", "Group").objects.using(alias).get_or_create(name=name)
        group.permissions.add(*viewing)
        for label, codenames in granted.items():
            group.permissions.add(*_named(apps, label, codenames, using=alias))


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
        ("reyes_estancias", "0001_tables"),
        ("auth", "0012_alter_user_first_name_max_length"),
        ("contenttypes", "0002_remove_content_type_name"),
        ("bookings", "0001_tables"),
        ("payments", "0001_tables"),
        ("procrastinate_tasks", "0001_tables"),
    ]
    operations = [migrations.RunPython(make_groups, migrations.RunPython.noop, elidable=False)]
