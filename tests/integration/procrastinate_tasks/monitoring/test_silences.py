"""A silenced alert stops its messages and nothing else; it comes back when it is worse, or after its time."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from datetime import timedelta
from io import StringIO
from typing import Any

import pytest
from django.core import mail
from django.core.management import call_command
from django.core.management.base import CommandError
from django.db import IntegrityError
from django.utils import timezone, translation
from django.utils.translation import gettext

from procrastinate_tasks.actions.alert_silences import silence_alert, unsilence_alert
from procrastinate_tasks.exceptions import AlreadyOver, UnknownAlert
from procrastinate_tasks.models import AlertState, AuditEntry
from procrastinate_tasks.monitoring.alerts import evaluation
from procrastinate_tasks.monitoring.alerts.rules import AlertRule, Finding
from procrastinate_tasks.monitoring.metrics import collect
from procrastinate_tasks.monitoring.snapshot import Snapshot
from tests.alert_receiver import open_receiver
from tests.integration.procrastinate_tasks.monitoring.faults import (
    insert_ready_jobs,
    look,
    only_rule,
    register_worker,
    settings_at_once,
    told,
)

pytestmark = pytest.mark.django_db

KEY = "fire\tkitchen"
_HOUR = timedelta(hours=1)


def burning(measure: float | None = None) -> AlertRule:
    def find(snapshot: Snapshot) -> Iterator[Finding]:
        yield Finding(
            subject="kitchen", sentence=lambda: f"{gettext('Queue')}: {measure or 0:g}.", measure=measure
        )

    return AlertRule(name="fire", title="Fire", advice="Run.", find=find)


def out() -> AlertRule:
    return AlertRule(name="fire", title="Fire", advice="Run.", find=lambda snapshot: ())


@pytest.fixture(autouse=True)
def _tell_at_once() -> Iterator[None]:
    with settings_at_once():
        yield


def look_at(rule: AlertRule) -> list[str]:
    """Look once, and return the titles of what was told."""
    with only_rule(rule):
        look()
    return told()


def fire(measure: float | None = 10) -> None:
    assert look_at(burning(measure)) == ["Alerta: Fire"]


def test_everybody_is_told_that_it_is_silenced_and_then_nothing_more():
    fire()
    silence_alert(key=KEY, by="ana", note="the cook knows", until=timezone.now() + _HOUR)

    with only_rule(burning(10)):
        look()
    (message,) = mail.outbox
    told()

    assert message.subject == "Silenciada: Fire"
    assert "ana la silenció hasta el" in message.body
    assert "the cook knows" in message.body
    assert look_at(burning(10)) == []


def test_the_webhook_and_the_log_hear_of_a_silence_as_such(caplog: pytest.LogCaptureFixture):
    fire()
    silence_alert(key=KEY, by="ana", note="known")

    with (
        open_receiver() as receiver,
        settings_at_once(PROCRASTINATE_TASKS_ALERT_WEBHOOK_URL=receiver.url),
        caplog.at_level(logging.INFO),
        only_rule(burning(10)),
    ):
        look()

    (body,) = receiver.received
    assert (body["event"], body["alert"], body["subjects"]) == ("alert_silenced", "fire", ["kitchen"])
    record = [each for each in caplog.records if each.name == "procrastinate_tasks.alerts"][-1]
    assert (record.levelno, vars(record)["event"]) == (logging.INFO, "alert_silenced")


@pytest.mark.parametrize(("measure", "is_told"), [(14.9, False), (15, True), (40, True), (5, False)])
def test_it_comes_back_when_it_is_half_as_bad_again(measure: float, is_told: bool):
    fire(10)
    silence_alert(key=KEY, by="ana", note="known")
    look_at(burning(10))

    titles = look_at(burning(measure))

    assert titles == (["Alerta: Fire"] if is_told else [])
    assert (AlertState.objects.get().silenced_at is None) is is_told


def test_it_is_silenced_as_bad_as_it_is_by_then_not_as_when_it_was_told():
    fire(10)
    look_at(burning(30))
    silence_alert(key=KEY, by="ana", note="known")

    assert look_at(burning(31)) == ["Silenciada: Fire"]
    assert look_at(burning(44)) == []
    assert look_at(burning(45)) == ["Alerta: Fire"]


def test_a_fault_that_nobody_can_count_never_gets_worse():
    fire(None)
    silence_alert(key=KEY, by="ana", note="known")

    assert look_at(burning(None)) == ["Silenciada: Fire"]
    assert look_at(burning(None)) == []


def test_it_comes_back_when_its_time_is_over_and_says_why():
    fire()
    silence_alert(key=KEY, by="ana", note="known", until=timezone.now() + _HOUR)
    look_at(burning(10))
    AlertState.objects.update(silenced_until=timezone.now())

    with only_rule(burning(10)):
        look()

    assert "ana la había silenciado; el plazo terminó." in mail.outbox[0].body
    assert told() == ["Alerta: Fire"]
    assert look_at(burning(10)) == []


def test_whoever_ends_the_silence_has_it_told_again():
    fire()
    silence_alert(key=KEY, by="ana", note="known")
    look_at(burning(10))

    assert unsilence_alert(key=KEY) is True
    assert unsilence_alert(key=KEY) is False
    assert look_at(burning(10)) == ["Alerta: Fire"]


def test_its_end_is_told_and_the_next_fire_is_a_new_one():
    fire()
    silence_alert(key=KEY, by="ana", note="known")
    look_at(burning(10))

    assert look_at(out()) == ["Terminó: Fire"]
    fire()


def test_of_two_who_silence_it_the_first_does():
    fire()

    assert silence_alert(key=KEY, by="ana", note="known", until=timezone.now() + _HOUR) is True
    assert silence_alert(key=KEY, by="luis", note="mine") is False
    assert AlertState.objects.get().silenced_by == "ana"


def test_only_what_fires_is_silenced():
    with settings_at_once(PROCRASTINATE_TASKS_ALERT_LASTING=_HOUR):
        look_at(burning())

    for key in (KEY, "fire", "", "\t", "fire\tkitchen\tx"):
        with pytest.raises(UnknownAlert):
            silence_alert(key=key, by="ana", note="known")
        with pytest.raises(UnknownAlert):
            unsilence_alert(key=key)


def test_a_time_that_has_passed_silences_nothing():
    fire()

    with pytest.raises(AlreadyOver, match="is over already"):
        silence_alert(key=KEY, by="ana", note="known", until=timezone.now() - _HOUR)

    assert AlertState.objects.get().silenced_at is None


def test_a_silence_has_an_author():
    fire()

    with pytest.raises(IntegrityError, match="ptasks_alert_silence_has_an_author"):
        AlertState.objects.update(silenced_at=timezone.now())


# --- What a silence never changes -------------------------------------------------------------------------


def test_metrics_and_exit_codes_count_a_silenced_alert_as_before():
    fire()
    silence_alert(key=KEY, by="ana", note="known")
    with only_rule(burning(10)):
        look()
        samples = {
            metric.name: metric.samples[0].value
            for metric in collect()
            if metric.name.startswith("procrastinate_alerts")
        }
        with pytest.raises(CommandError) as firing:
            call_command("check_alerts", "--json", stdout=(output := StringIO()))

    assert samples == {"procrastinate_alerts_firing": 1, "procrastinate_alerts_silenced": 1}
    assert firing.value.returncode == 1
    assert json.loads(output.getvalue())["alerts"][0]["is_silenced"] is True


def test_health_stays_red_beside_a_silenced_alert():
    register_worker(silent=_HOUR)
    look()
    told()
    silence_alert(key="worker_stopped", by="ana", note="known")
    look()

    with pytest.raises(SystemExit) as ill:
        call_command("jobs", "health", stdout=StringIO())

    assert ill.value.code == 1


# --- Words ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("language", "words"), [("en", "Queue: 10."), ("es-mx", "Cola: 10."), ("fr", "Cola: 10.")]
)
def test_an_alert_is_told_in_the_language_of_whoever_reads_it(language: str, words: str):
    fire()

    with translation.override(language):
        (alert,) = evaluation.list_firing()
        assert alert.words == words


def test_an_alert_whose_words_fail_is_told_by_its_title(caplog: pytest.LogCaptureFixture):
    def fail() -> str:
        raise LookupError("no words")

    def find(snapshot: Snapshot) -> Iterator[Finding]:
        yield Finding(sentence=fail)

    with only_rule(AlertRule(name="fire", title="Fire", advice="Run.", find=find)):
        look()

    assert mail.outbox[0].body.startswith("Fire\n")
    assert "An alert could not be put into words" in caplog.text


def test_the_measure_of_a_queue_is_what_waits_in_it():
    register_worker()
    insert_ready_jobs(501, queue="payments")
    look()

    assert AlertState.objects.get().measure == 501


# --- The command ------------------------------------------------------------------------------------------


def jobs(*arguments: Any) -> str:
    call_command("jobs", *arguments, stdout=(output := StringIO()))
    return output.getvalue()


def test_the_command_lists_silences_and_tells_again():
    assert "No hay alertas activas." in jobs("alerts")
    fire()

    with only_rule(burning(10)):
        said = jobs("alerts", "silence", "fire", "kitchen", "--for", "30", "--reason", "known", "--by", "ana")
        (listed,) = json.loads(jobs("alerts", "--json"))
        again = jobs("alerts", "silence", "fire", "kitchen", "--reason", "known")
        ended = jobs("alerts", "tell", "fire", "kitchen")

    assert "queda silenciada" in said
    assert (listed["alert"], listed["silenced_by"], listed["note"]) == ("fire", "ana", "known")
    assert listed["silenced_until"] is not None
    assert "Ya está silenciada." in again
    assert "Se vuelve a avisar" in ended
    entry = AuditEntry.objects.order_by("id").first()
    assert entry is not None
    assert (entry.target_type, entry.action, entry.reason) == ("alert", "silence_alert", "known")
    assert "until" in entry.detail


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["silence"], 1),
        (["silence", "nosuch", "--reason", "x"], 4),
        (["silence", "fire", "kitchen"], 6),
        (["silence", "fire", "kitchen", "--reason", "x", "--until", "2020-01-01T10:00"], 1),
        (["silence", "fire", "kitchen", "--reason", "x", "--for", "0"], 1),
        (["tell", "fire"], 4),
    ],
)
def test_the_command_says_what_is_wrong_with_its_code(arguments: list[str], code: int):
    fire()

    with pytest.raises(CommandError) as refused:
        jobs("alerts", *arguments)

    assert refused.value.returncode == code
    assert AlertState.objects.get().silenced_at is None
