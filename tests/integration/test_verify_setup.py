"""``verify_setup`` names what is wrong, and how to mend it: set-ups broken on purpose, one at a time."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import timedelta
from io import StringIO
from typing import Any
from uuid import uuid4

import psycopg
import pytest
from django.core.management import call_command
from django.core.management.base import CommandError
from django.db import connection, connections
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.recorder import MigrationRecorder
from django.utils import timezone, translation
from procrastinate.contrib.django import app

from payments import gateway
from payments.deferred_jobs import CHARGE_BALANCE
from payments.exceptions import GatewayBusy, GatewayRefused, ObjectMissing
from payments.models import StripeEvent, StripeMemory
from procrastinate_tasks.jobs.deferring import defer
from procrastinate_tasks.models import JobAttempt
from procrastinate_tasks.queues import pauses
from procrastinate_tasks.schedule import periodic
from procrastinate_tasks.verification.queue_checks import check_database
from reyes_estancias import setup_checks
from tests.gateways import FakeGateway
from tests.integration.procrastinate_tasks.monitoring.faults import insert_ready_jobs, register_worker
from tests.integration.procrastinate_tasks.sample_tasks import remember
from tests.workers.workers import current_database_url

HOURLY = "bookings.tasks.mark_expired_holds"
PRODUCTION = {
    "PRODUCTION": True,
    "SITE_BASE_URL": "https://reyes.example",
    "ALLOWED_HOSTS": ["reyes.example"],
}

pytestmark = pytest.mark.django_db

Verdicts = dict[str, dict[str, str]]


class Stripe(FakeGateway):
    """A provider that has no object of any id; what it is made to tell of arrives at once."""

    def cause_events(self) -> str:
        now = timezone.now()
        StripeEvent.objects.create(
            event_id=f"evt_{uuid4().hex}",
            type="payment_intent.canceled",
            object_id="pi_seen",
            payload={},
            created_at=now,
            received_at=now,
        )
        return "pi_seen"

    def retrieve_intent(self, intent_id: str) -> gateway.Intent:
        raise ObjectMissing(operation="retrieve intent", detail="no such intent", param="intent")


@pytest.fixture(autouse=True)
def _stripe_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gateway, "_build_gateway", lambda path: Stripe())


def verify(*, job_timeout: float = 0.2) -> Verdicts:
    output = StringIO()
    with suppress(CommandError), translation.override("en"):
        call_command("verify_setup", "--json", "--job-timeout", str(job_timeout), stdout=output)
    return {check["check"]: check for check in json.loads(output.getvalue())["checks"]}


def failed(verdicts: Verdicts) -> list[str]:
    return [name for name, verdict in verdicts.items() if verdict["level"] == "failed"]


def assert_named(verdicts: Verdicts, check: str, *, cause: str, fix: str) -> None:
    assert verdicts[check]["level"] == "failed"
    assert cause in verdicts[check]["sentence"]
    assert fix in verdicts[check]["fix"]


def execute(sql: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(sql)


def test_where_only_a_worker_is_missing_only_that_is_named():
    verdicts = verify()

    assert failed(verdicts) == ["worker_job", "worker_does_not_start"]
    assert_named(verdicts, "worker_job", cause="No worker is alive", fix="manage.py procrastinate worker")


def test_a_worker_that_does_nothing_is_named_with_the_reason():
    register_worker()

    verdicts = verify()

    assert failed(verdicts) == ["worker_job"]
    assert_named(verdicts, "worker_job", cause="did not succeed within", fix="worker's log")


def test_a_database_that_is_away_is_named_and_nothing_else_is_blamed_for_it():
    away = connections["default"].copy()
    away.settings_dict |= {"HOST": "127.0.0.1", "PORT": "1"}
    kept = connections["default"]
    connections["default"] = away
    try:
        verdicts = verify()
    finally:
        connections["default"] = kept

    assert failed(verdicts) == ["database", "worker_does_not_start"]
    assert_named(verdicts, "database", cause="Connection refused", fix="DATABASE_URL")
    assert verdicts["migrations"]["level"] == "skipped"


@pytest.fixture
def crowded_out() -> Iterator[str]:
    """A role that has no connection left."""
    with psycopg.connect(current_database_url(), autocommit=True) as owner:
        owner.execute("CREATE ROLE crowded_out LOGIN CONNECTION LIMIT 0")
        try:
            yield "crowded_out"
        finally:
            owner.execute("DROP ROLE crowded_out")


def test_a_database_without_a_free_connection_is_told_from_one_that_is_down(crowded_out: str):
    kept = connections["default"]
    crowded = kept.copy()
    crowded.settings_dict["USER"] = crowded_out
    connections["default"] = crowded
    try:
        with translation.override("en"):
            verdict = check_database(13)
    finally:
        connections["default"] = kept

    assert "too many connections" in verdict.sentence
    assert verdict.fix == "All connections are taken: stop a process that holds some, or allow more of them."


def test_an_index_that_cannot_be_used_is_named():
    execute("CREATE INDEX half_built ON django_session (session_key)")
    execute("UPDATE pg_index SET indisvalid = false WHERE indexrelid::regclass::text = 'half_built'")

    assert_named(verify(), "indexes", cause="public.half_built", fix="DROP INDEX CONCURRENTLY")


def test_a_missing_extension_is_named():
    execute("DROP EXTENSION btree_gist CASCADE")

    assert_named(verify(), "extensions", cause="btree_gist", fix="CREATE EXTENSION btree_gist")


def test_missing_migrations_are_named_twice():
    ((app_label, latest),) = MigrationLoader(connection).graph.leaf_nodes("payments")
    MigrationRecorder(connection).record_unapplied(app_label, latest)

    verdicts = verify()

    assert_named(verdicts, "migrations", cause="lacks migrations", fix="manage.py migrate")
    assert_named(verdicts, "worker_does_not_start", cause="lacks migrations", fix="manage.py migrate")


def test_a_table_that_cannot_be_read_is_named():
    execute("ALTER TABLE payments_refund RENAME TO payments_refund_elsewhere")

    assert_named(verify(), "models", cause="payments_refund", fix="manage.py migrate")


def test_time_limits_in_the_wrong_order_are_named(settings):
    settings.PROCRASTINATE_TASKS_SOFT_TIME_LIMIT = timedelta(seconds=600)
    settings.PROCRASTINATE_TASKS_TIME_LIMIT = timedelta(seconds=540)

    verdicts = verify()

    assert_named(verdicts, "queue_settings", cause="E008", fix="lower the soft limit")
    assert_named(verdicts, "worker_does_not_start", cause="E008", fix="lower the soft limit")


def test_a_task_that_is_not_registered_is_named(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delitem(app.tasks, CHARGE_BALANCE)

    assert_named(verify(), "tasks", cause=CHARGE_BALANCE, fix="INSTALLED_APPS")


def test_a_schedule_that_is_gone_is_named(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delitem(periodic._schedules_by_name, HOURLY)

    assert_named(verify(), "schedule", cause=HOURLY, fix="@periodic")


def test_a_connection_budget_that_does_not_fit_the_plan_is_named(settings):
    settings.PROCRASTINATE_TASKS_CONNECTION_LIMIT = 12
    register_worker(capacity=4)

    assert_named(
        verify(),
        "connections",
        cause="Web 6 + workers 9 = 15; in a restart up to 32; the limit is 12.",
        fix="--concurrency",
    )


def test_a_budget_that_is_exceeded_in_a_restart_only_is_a_warning(settings):
    settings.PROCRASTINATE_TASKS_CONNECTION_LIMIT = 20
    register_worker(capacity=4)

    assert verify()["connections"]["level"] == "warning"


@pytest.mark.parametrize(
    ("changed", "check", "cause", "fix"),
    [
        ({"SITE_BASE_URL": "reyes.example"}, "site", "must be a URL", "SITE_BASE_URL"),
        ({"ALLOWED_HOSTS": ["other.example"]}, "site", "ALLOWED_HOSTS has not 127.0.0.1", "Add it"),
        ({**PRODUCTION, "SITE_BASE_URL": "http://reyes.example"}, "site", "not https", "SITE_BASE_URL"),
        ({"TIME_ZONE": "UTC"}, "time_zone", "TIME_ZONE is UTC", "America/Mexico_City"),
        ({**PRODUCTION, "DEBUG": True}, "deployment", "DEBUG is on", "DEBUG=False"),
        ({**PRODUCTION, "SECURE_SSL_REDIRECT": False}, "deployment", "security.W008", "check --deploy"),
        (PRODUCTION, "stripe_keys", "is a test key", "Stripe's page"),
        ({"STRIPE_WEBHOOK_SECRETS": []}, "webhook_secret", "no secret", "/webhooks/stripe/"),
        ({**PRODUCTION}, "webhook_secret", "local Stripe", "https://reyes.example/webhooks/stripe/"),
        ({**PRODUCTION, "EMAIL_IS_SENT": False}, "email", "not sent", "EMAIL_URL"),
    ],
)
def test_a_wrong_setting_of_the_site_is_named(
    settings, changed: dict[str, Any], check: str, cause: str, fix: str
):
    for name, value in changed.items():
        setattr(settings, name, value)

    assert_named(verify(), check, cause=cause, fix=fix)


@pytest.mark.parametrize(
    ("changed", "level"),
    [
        ({"EMAIL_IS_SENT": False, "ADMINS": ["turno@example.com"]}, "warning"),
        ({"EMAIL_IS_SENT": True, "ADMINS": []}, "warning"),
        ({"EMAIL_IS_SENT": True, "ADMINS": ["turno@example.com"]}, "ok"),
    ],
)
def test_email_is_right_when_it_is_sent_and_somebody_is_told(settings, changed: dict[str, Any], level: str):
    for name, value in changed.items():
        setattr(settings, name, value)

    assert verify()["email"]["level"] == level


def test_a_key_of_another_stripe_account_than_that_of_the_customers_is_named():
    StripeMemory.objects.create(account_id="acct_1ours")

    assert_named(verify(), "stripe_account", cause="acct_1fake", fix="STRIPE_SECRET_KEY")


def test_charging_that_is_locked_is_named():
    StripeMemory.objects.create(account_id="acct_1fake", locked_at=timezone.now())

    assert_named(verify(), "stripe_account", cause="locked", fix="rebuild_from_stripe")


@pytest.mark.parametrize(
    ("fault", "cause", "fix"),
    [
        (GatewayRefused, "does not know the key", "STRIPE_SECRET_KEY"),
        (GatewayBusy, "cannot be reached", "STRIPE_API_BASE"),
    ],
)
def test_a_stripe_that_refuses_or_is_away_is_named(
    monkeypatch: pytest.MonkeyPatch, fault: Callable[..., Exception], cause: str, fix: str
):
    def refuse(self: Stripe, intent_id: str) -> gateway.Intent:
        raise fault(operation="retrieve intent", detail="refused")

    monkeypatch.setattr(Stripe, "retrieve_intent", refuse)

    assert_named(verify(), "stripe", cause=cause, fix=fix)


# --- The five usual problems ------------------------------------------------------------------------------


def test_tasks_that_do_not_run_are_answered_with_the_reason():
    register_worker()
    defer(remember.name, {"number": 1}, schedule_at=timezone.now() - timedelta(minutes=2))
    pauses.pause_queue(queue="sample", by="Ana", reason="")

    assert_named(verify(), "tasks_do_not_run", cause="Ana", fix="manage.py jobs why")


def test_the_decimal_error_is_answered_by_the_charge_s_own_check(monkeypatch: pytest.MonkeyPatch):
    assert verify()["decimal_error"]["level"] == "ok"
    # Both the annotation and the check of the charge refuse it: neither alone would let it pass.
    monkeypatch.setattr(setup_checks, "refuses", lambda name, arguments: False)

    assert_named(verify(), "decimal_error", cause="A Decimal is taken", fix="validate")


def test_attempts_that_failed_with_a_decimal_are_found():
    JobAttempt.objects.create(
        job_id=1,
        attempt=1,
        task_name=CHARGE_BALANCE,
        queue_name="payments",
        host="one",
        started_at=timezone.now(),
        finished_at=timezone.now(),
        outcome="failed",
        exception_class="decimal.InvalidOperation",
    )

    assert_named(verify(), "decimal_error", cause="an error of Decimal: 1", fix="traceback")


def test_memory_that_grows_is_named():
    register_worker(memory_bytes=390_000_000, max_memory_bytes=400_000_000)

    assert_named(verify(), "memory_grows", cause="of 381 MB", fix="--max-jobs")


def test_a_worker_without_a_memory_limit_is_a_warning():
    register_worker(memory_bytes=390_000_000)

    assert verify()["memory_grows"]["level"] == "warning"


def test_jobs_that_pile_up_are_named_by_queue():
    register_worker()
    insert_ready_jobs(501, queue="payments")

    assert_named(verify(), "jobs_pile_up", cause="Queue payments: 501 ready jobs", fix="Add workers")


def test_the_exit_code_is_one_and_people_read_marks():
    output = StringIO()

    with pytest.raises(CommandError, match="2 checks failed") as failure, translation.override("en"):
        call_command("verify_setup", "--job-timeout", "0.1", stdout=output)

    assert failure.value.returncode == 1
    assert "\nThe queue\n✓ Database: PostgreSQL" in output.getvalue()
    assert "✗ A job through a worker: No worker is alive.\n    → Start one" in output.getvalue()
    assert "\nThe five usual problems\n" in output.getvalue()
