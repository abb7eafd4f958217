"""The groups of the staff, as the migration makes them on a fresh and on a grown database."""

from __future__ import annotations

from functools import cache
from importlib import import_module
from types import SimpleNamespace

import pytest
from django.apps import apps
from django.contrib.auth.models import Group, Permission, User
from django.db import connection
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.state import StateApps

from procrastinate_tasks.actions.permissions import is_allowed
from procrastinate_tasks.actions.policies import Action

pytestmark = pytest.mark.django_db

FIRST = ("reyes_estancias", "0002_staff_groups")
SINCE = [
    ("reyes_estancias", "0003_staff_sees_all_money"),
    ("reyes_estancias", "0004_staff_sees_invariants"),
    ("reyes_estancias", "0005_owner_lets_money_go"),
    ("reyes_estancias", "0006_staff_sees_debts"),
    ("reyes_estancias", "0007_owner_writes_the_law"),
    ("reyes_estancias", "0009_staff_takes_bookings"),
    ("reyes_estancias", "0010_owner_shows_photos"),
    ("reyes_estancias", "0011_owner_handles_guest_data"),
    ("reyes_estancias", "0012_support_sees_stacks"),
    ("reyes_estancias", "0013_staff_silences_alerts"),
]
MAY = {
    "Recepción": set(),
    "Operación": {
        Action.RETRY,
        Action.RELEASE,
        Action.RUN_NOW,
        Action.CANCEL,
        Action.RUN_SCHEDULE,
        Action.MUTE_FAULT,
        Action.UNMUTE_FAULT,
        Action.REPLAY,
        Action.SILENCE_ALERT,
        Action.UNSILENCE_ALERT,
    },
    "Soporte": set(Action),
    "Dueño": set(Action),
}
VIEWS = {
    f"{label}.view_{model._meta.model_name}"
    for label in ("bookings", "payments")
    for model in apps.get_app_config(label).get_models()
    if "view" in model._meta.default_permissions
}


@cache
def apps_at(migration: tuple[str, str]) -> StateApps:
    return MigrationLoader(connection).project_state([migration]).apps


def run(migration: tuple[str, str]) -> None:
    module = import_module(".migrations.".join(migration))
    for operation in module.Migration.operations:
        operation.code(apps_at(migration), SimpleNamespace(connection=connection))


def make_groups() -> None:
    run(FIRST)


def make_all() -> None:
    """Run each migration of the groups, as a fresh database does: each sees what there was at its time."""
    Group.objects.all().delete()
    Permission.objects.all().delete()
    make_groups()
    for migration in SINCE:
        run(migration)


def member_of(group: str) -> User:
    user = User.objects.create_user(group, is_staff=True)
    user.groups.add(Group.objects.get(name=group))
    return user


@pytest.mark.parametrize("group", list(MAY))
def test_each_group_may_do_what_the_matrix_says(group: str):
    make_all()

    user = member_of(group)

    assert {action for action in Action if is_allowed(user, action, task_name="any")} == MAY[group]
    assert user.has_perm("procrastinate_tasks.view_job")
    assert user.has_perm("bookings.view_booking")
    assert user.has_perm("payments.view_payment")
    assert user.has_perm("bookings.change_property") is (group == "Dueño")


@pytest.mark.parametrize(
    ("permission", "groups"),
    [
        ("view_job_arguments", {"Operación", "Soporte", "Dueño"}),
        ("view_job_traceback", {"Soporte", "Dueño"}),
        ("retry_money_job", {"Operación", "Soporte", "Dueño"}),
        ("view_audit", {"Operación", "Soporte", "Dueño"}),
        ("bulk_jobs", {"Soporte", "Dueño"}),
    ],
)
def test_what_may_be_seen_and_moved_is_shared_out(permission: str, groups: set[str]):
    Group.objects.all().delete()
    make_groups()

    holders = Group.objects.filter(permissions__codename=permission).values_list("name", flat=True)

    assert set(holders) == groups


def test_the_permissions_are_made_first_where_none_exist_yet():
    Group.objects.all().delete()
    Permission.objects.all().delete()

    make_groups()

    assert Group.objects.get(name="Soporte").permissions.filter(codename="abort_job").exists()


def test_a_group_that_exists_keeps_its_people_and_what_else_it_may():
    Group.objects.all().delete()
    extra = Permission.objects.get(codename="add_user")
    group = Group.objects.create(name="Soporte")
    group.permissions.add(extra)
    user = member_of("Soporte")

    make_groups()
    make_groups()

    assert extra in group.permissions.all()
    assert user.has_perm("procrastinate_tasks.abort_job")


@pytest.mark.parametrize("group", list(MAY))
def test_everybody_on_the_staff_sees_every_list_of_bookings_and_money(group: str):
    make_all()

    user = member_of(group)

    assert VIEWS - user.get_all_permissions() == set()


def test_who_explains_a_difference_with_stripe_is_of_support_or_the_owner():
    make_all()

    holders = Group.objects.filter(permissions__codename="close_reconciliationbreak")

    assert set(holders.values_list("name", flat=True)) == {"Soporte", "Dueño"}


@pytest.mark.parametrize("permission", ["waive_debt", "give_up_refund"])
def test_the_owner_alone_lets_money_go(permission: str):
    make_all()

    holders = Group.objects.filter(permissions__codename=permission).values_list("name", flat=True)

    assert set(holders) == {"Dueño"}


def test_support_and_the_owner_see_where_running_jobs_stand():
    make_all()

    holders = Group.objects.filter(permissions__codename="view_job_stack").values_list("name", flat=True)

    assert set(holders) == {"Soporte", "Dueño"}
