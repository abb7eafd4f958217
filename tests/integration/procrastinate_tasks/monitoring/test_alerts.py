"""An alert is told once through each channel, whatever fails on the way, and holds nobody up."""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from io import StringIO
from typing import Any

import pytest
from django.core import mail
from django.core.management import call_command
from django.core.management.base import CommandError
from django.db import connection, connections
from django.test import override_settings
from procrastinate.contrib.django.django_connector import DjangoConnector

from procrastinate_tasks.database import statement
from procrastinate_tasks.exceptions import AlertRuleNameTaken
from procrastinate_tasks.models import AlertNotice
from procrastinate_tasks.monitoring.alerts import delivery, evaluation
from procrastinate_tasks.monitoring.alerts.rules import AlertRule, Finding, Notice, register_rule
from procrastinate_tasks.monitoring.alerts.watch import Watch
from procrastinate_tasks.monitoring.snapshot import Snapshot
from tests.alert_receiver import open_receiver
from tests.integration.procrastinate_tasks.monitoring.faults import (
    look,
    only_rule,
    register_worker,
    settings_at_once,
    told,
)


def rule(*subjects: str, fails: bool = False) -> AlertRule:
    def find(snapshot: Snapshot) -> Iterator[Finding]:
        if fails:
            raise LookupError("broken rule")
        for subject in subjects:
            yield Finding(subject=subject, sentence=f"{subject} is on fire.")

    return AlertRule(name="fire", title="Fire", advice="Run.", find=find)


@pytest.fixture(name="posts")
def _webhook() -> Iterator[list[dict[str, Any]]]:
    with (
        open_receiver() as receiver,
        settings_at_once(PROCRASTINATE_TASKS_ALERT_WEBHOOK_URL=receiver.url),
    ):
        yield receiver.received


@pytest.mark.django_db
def test_several_faults_of_one_rule_are_one_message():
    with settings_at_once(), only_rule(rule("kitchen", "hall")):
        look()

    (message,) = mail.outbox
    assert message.to == ["turno@example.com"]
    assert "kitchen is on fire." in message.body
    assert "hall is on fire." in message.body
    assert "Qué hacer: Run." in message.body


@pytest.mark.django_db
@pytest.mark.parametrize("site_url", ["", "https://estancias.example", "https://estancias.example/"])
def test_a_message_leads_to_the_page_where_something_can_be_done(site_url: str):
    page = replace(rule("kitchen"), page="admin:queue_jobs", query=lambda told: {"queue": told.subject})
    with settings_at_once(PROCRASTINATE_TASKS_SITE_URL=site_url), only_rule(page):
        look()

    (message,) = mail.outbox
    assert f"Véalo aquí: {site_url.rstrip('/')}/admin/queue/jobs/?queue=kitchen\n" in f"{message.body}\n"


@pytest.mark.django_db
def test_several_faults_lead_to_the_page_of_all(posts: list[dict[str, Any]]):
    page = replace(
        rule("kitchen", "hall"), page="admin:queue_jobs", query=lambda told: {"queue": told.subject}
    )
    with only_rule(page):
        look()

    assert posts[0]["url"].endswith("/admin/queue/jobs/")


@pytest.mark.django_db
@pytest.mark.parametrize("page", ["admin:nowhere", "no_such_site:index"])
def test_an_alert_whose_page_the_project_does_not_have_is_told_without_it(page: str):
    with settings_at_once(), only_rule(replace(rule("kitchen"), page=page)):
        look()

    assert "aquí:" not in mail.outbox[0].body


@pytest.mark.django_db
def test_addresses_that_cannot_be_read_hold_up_no_alert(caplog: pytest.LogCaptureFixture):
    with settings_at_once(ROOT_URLCONF="no.such.module"), only_rule(rule("kitchen")):
        look()

    assert len(mail.outbox) == 1
    assert "The page of an alert could not be found" in caplog.text


@pytest.mark.django_db
def test_an_end_leads_nowhere():
    with settings_at_once():
        with only_rule(rule("kitchen")):
            look()
        with only_rule(rule()):
            look()

    assert ["aquí:" in message.body for message in mail.outbox] == [True, False]


@pytest.mark.django_db
def test_a_fault_that_comes_and_goes_is_one_alert():
    with settings_at_once(PROCRASTINATE_TASKS_ALERT_CALM_FOR=timedelta(hours=1)):
        for subjects in (["kitchen"], [], ["kitchen"], []):
            with only_rule(rule(*subjects)):
                look()

        assert len(told()) == 1
        (alert,) = evaluation.list_firing()
        assert alert.calm_since is not None


@pytest.mark.django_db
def test_a_fault_that_passes_before_it_lasted_is_told_nobody():
    with settings_at_once(PROCRASTINATE_TASKS_ALERT_LASTING=timedelta(hours=1)):
        with only_rule(rule("kitchen")):
            assert look() == set()
        with only_rule(rule()):
            look()

        assert told() == []
        assert evaluation.list_alerts() == ()


@pytest.mark.django_db
def test_a_rule_that_fails_leaves_its_alerts_as_they_are(caplog: pytest.LogCaptureFixture):
    with settings_at_once():
        with only_rule(rule("kitchen")):
            look()
        with only_rule(rule(fails=True)):
            assert look() == {"fire"}

    assert "Alert rule failed" in caplog.text


@pytest.mark.django_db
def test_the_webhook_gets_json(posts: list[dict[str, Any]]):
    with only_rule(rule("kitchen")):
        look()

    (body,) = posts
    assert (body["event"], body["alert"], body["subjects"]) == ("alert_fired", "fire", ["kitchen"])
    assert body["text"].startswith("Alerta: Fire\nkitchen is on fire.")


@pytest.mark.django_db
def test_the_log_says_it_too(caplog: pytest.LogCaptureFixture):
    with settings_at_once(), only_rule(rule("kitchen")), caplog.at_level(logging.INFO):
        look()

    (record,) = (each for each in caplog.records if each.name == "procrastinate_tasks.alerts")
    assert record.levelno == logging.ERROR
    assert vars(record)["event"] == "alert_fired"


@pytest.mark.django_db
def test_a_channel_that_fails_is_tried_again_and_holds_up_no_other(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    def refuse(notice: Notice) -> None:
        raise OSError("mailbox turno@example.com unavailable")

    working = delivery.CHANNELS["email"]
    monkeypatch.setitem(delivery.CHANNELS, "email", delivery.Channel(working.is_open, refuse))
    with settings_at_once(), only_rule(rule("kitchen")):
        look()
    assert "turno@example.com" not in caplog.text
    assert set(AlertNotice.objects.filter(is_sent=True).values_list("channel", flat=True)) == {"log"}

    monkeypatch.setitem(delivery.CHANNELS, "email", working)
    with settings_at_once():
        assert delivery.deliver_due() == 0
        AlertNotice.objects.update(next_try_at="2026-01-01T00:00Z")
        assert delivery.deliver_due() == 1
        assert delivery.deliver_due() == 0
    assert len(told()) == 1


@pytest.mark.django_db
def test_a_notice_that_nobody_takes_is_given_up_in_the_end():
    with settings_at_once(), only_rule(rule("kitchen")):
        evaluation.run_once(every=timedelta(0))
        AlertNotice.objects.update(tries=delivery.MOST_TRIES)

        assert not delivery.has_due()
        assert delivery.deliver_due() == 0


@pytest.mark.django_db
def test_a_round_is_one_process_s():
    with only_rule(rule()):
        assert evaluation.run_once(every=timedelta(0)) is not None
        assert evaluation.run_once(every=timedelta(hours=1)) is None


@pytest.mark.django_db(transaction=True)
def test_many_that_look_at_once_tell_once():
    starting = threading.Barrier(6)

    def look_in_a_thread() -> None:
        try:
            starting.wait(10)
            evaluation.run_once(every=timedelta(0))
            delivery.deliver_due()
        finally:
            connections.close_all()

    with settings_at_once(), only_rule(rule("kitchen")):
        threads = [threading.Thread(target=look_in_a_thread) for _ in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        look()

    assert len(told()) == 1


@pytest.mark.django_db(transaction=True)
def test_what_a_process_found_is_dropped_when_another_took_over():
    def find(snapshot: Snapshot) -> Iterator[Finding]:
        with connection.cursor() as cursor:
            cursor.execute("UPDATE procrastinate_tasks_alertround SET evaluated_at = now()")
        yield Finding(sentence="It burns.")

    with settings_at_once(), only_rule(AlertRule(name="fire", title="Fire", advice="Run.", find=find)):
        assert evaluation.run_once(every=timedelta(0)) is None

    assert evaluation.list_alerts() == ()


@pytest.mark.django_db(transaction=True)
def test_what_is_due_is_sent_on_a_thread_of_its_own(posts: list[dict[str, Any]]):
    with only_rule(rule("kitchen")):
        evaluation.run_once(every=timedelta(0))
        delivery.deliver_in_background()
        (thread,) = (each for each in threading.enumerate() if each.name == "alerts")
        thread.join()

    assert len(posts) == 1


def test_a_watch_survives_a_database_that_is_away(caplog: pytest.LogCaptureFixture):
    """No database is allowed in this test: each look fails as it would while the server is down."""
    watch = Watch()

    assert [watch.run_once() for _ in range(3)] == [5.0, 5.0, 5.0]
    assert caplog.text.count("Alerts could not be looked after") == 1


@pytest.mark.django_db
def test_the_command_exits_with_one_while_an_alert_fires():
    with override_settings(PROCRASTINATE_TASKS_ALERT_LASTING=timedelta(seconds=0.2)):
        with pytest.raises(CommandError) as firing:
            call_command("check_alerts", stdout=(output := StringIO()))
        register_worker()

        assert firing.value.returncode == 1
        assert output.getvalue().startswith("worker_stopped: ")


@pytest.mark.django_db
def test_the_command_says_that_all_is_well():
    register_worker()

    call_command("check_alerts", "--json", stdout=(output := StringIO()))

    assert json.loads(output.getvalue()) == {"alerts": []}


def test_a_rule_s_name_is_taken_once():
    with only_rule(rule()), pytest.raises(AlertRuleNameTaken, match="'fire' exists already"):
        register_rule(rule())


@pytest.mark.django_db(transaction=True)
def test_nobody_waits_for_a_process_that_froze_while_it_wrote_its_findings_down():
    assert evaluation.run_once(every=timedelta(0)) is not None
    frozen = connection.copy()
    try:
        frozen.set_autocommit(False)
        with frozen.cursor() as cursor:
            cursor.execute("SELECT FROM procrastinate_tasks_alertround FOR UPDATE")
        with connection.cursor() as cursor:
            cursor.execute("SET statement_timeout = '2s'")

        assert evaluation.run_once(every=timedelta(0)) is None

        frozen.rollback()
        assert evaluation.run_once(every=timedelta(0)) is not None
    finally:
        frozen.close()
        with connection.cursor() as cursor:
            cursor.execute("RESET statement_timeout")


@pytest.mark.django_db
def test_a_session_that_falls_silent_while_it_holds_the_round_is_ended_by_the_server():
    connector = DjangoConnector()
    begun = connector.execute_query_one(statement("monitoring/begin_alert_round"), every=timedelta(0))

    connector.execute_query_all(evaluation.LOCK_ROUND, round_at=begun["evaluated_at"])

    told = connector.execute_query_one("SELECT current_setting('idle_in_transaction_session_timeout') AS it")
    assert told["it"] == "5s"
