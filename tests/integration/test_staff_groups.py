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
from django.test import Client

from procrastinate_tasks.actions.permissions import is_allowed
from procrastinate_tasks.actions.policies import Action
from tests.integration.pages import english_words, read

pytestmark = pytest.mark.django_db

MIGRATION = ("reyes_estancias", "0002_staff_groups")
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
def apps_of_the_migration() -> StateApps:
    return MigrationLoader(connection).project_state([MIGRATION]).apps


def make_groups() -> None:
    module = import_module(".migrations.".join(MIGRATION))
    for operation in module.Migration.operations:
        operation.code(apps_of_the_migration(), SimpleNamespace(connection=connection))


def make_all() -> None:
    """Make the permissions and the groups of a fresh database."""
    Group.objects.all().delete()
    Permission.objects.all().delete()
    make_groups()


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


@pytest.mark.parametrize(
    "page", ["auth/group/{group}/change/", "auth/group/add/", "auth/user/{user}/change/"]
)
def test_permissions_are_read_in_the_office_s_language(admin_client: Client, admin_user: User, page: str):
    address = page.format(group=Group.objects.get(name="Soporte").pk, user=admin_user.pk)

    text = read(admin_client.get(f"/admin/{address}"))

    assert "Puede reintentar" in text and "| Puede agregar" in text
    assert english_words(text) == set()
    admin_client.cookies["django_language"] = "en"
    assert "| Can see" in read(admin_client.get(f"/admin/{address}"))
