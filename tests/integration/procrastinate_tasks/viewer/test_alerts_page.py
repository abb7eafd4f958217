"""Alerts on the pages: where they lead, by whom they are silenced, and what that does not hide."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from html import unescape
from typing import Any

import pytest
from django.test import Client

from procrastinate_tasks.models import AlertState, AuditEntry
from procrastinate_tasks.monitoring.alerts.rules import AlertRule, Finding
from procrastinate_tasks.monitoring.snapshot import Snapshot
from tests.integration.procrastinate_tasks.monitoring.faults import look, only_rule, settings_at_once
from tests.integration.procrastinate_tasks.viewer.office import address, staff_client

pytestmark = pytest.mark.django_db

FORM = {"action": "silence_alert", "alert": "fire\tkitchen", "confirmed": "yes"}


@pytest.fixture(autouse=True)
def _burning() -> Iterator[None]:
    def find(snapshot: Snapshot) -> Iterator[Finding]:
        yield Finding(subject="kitchen", sentence="The kitchen is on fire.", measure=2)

    rule = AlertRule(
        name="fire",
        title="Fire",
        advice="Run.",
        find=find,
        page="admin:queue_jobs",
        query=lambda told: {"queue": told.subject},
    )
    with settings_at_once(), only_rule(rule):
        look()
        yield


@pytest.fixture
def staff() -> Client:
    return staff_client("view_job", "silence_alert", name="silvia")


def text_of(response: Any) -> str:
    return unescape(response.content.decode())


def silence(client: Client, **more: str) -> Any:
    return client.post(address("queue_act"), {**FORM, "reason": "the cook knows", **more}, follow=True)


def test_an_alert_leads_to_its_page_says_what_to_do_and_can_be_silenced(staff: Client):
    (row,) = staff.get(address("queue_alerts")).context["rows"]
    text = text_of(staff.get(address("queue_alerts")))

    assert row.url == address("queue_jobs") + "?queue=kitchen"
    assert "What to do: Run." in text
    assert "The kitchen is on fire." in text
    confirmation = text_of(staff.get(row.act_url))
    assert "Silence: alert “Fire (kitchen)”" in confirmation
    assert "in 4 hours" in confirmation
    assert "Reason (required)" in confirmation


def test_a_silenced_alert_says_by_whom_and_why_and_is_still_on_the_dashboard(staff: Client):
    said = text_of(silence(staff, minutes="60"))

    dashboard = staff.get(address("queue_dashboard"))
    (concern,) = (each for each in dashboard.context["concerns"] if each.is_silenced)
    page = text_of(staff.get(address("queue_alerts")))
    assert "The alert is silenced" in said
    assert "Silenced by silvia until" in concern.sentence
    assert "The kitchen is on fire." in concern.sentence
    assert "the cook knows" in page
    assert "End the silence…" in page
    assert AuditEntry.objects.get().target_id == FORM["alert"]


def test_a_silence_needs_a_note(staff: Client):
    said = text_of(staff.post(address("queue_act"), {**FORM, "reason": "  "}))

    assert "A reason is needed" in said
    assert AlertState.objects.get().silenced_at is None


def test_a_time_that_cannot_be_read_silences_nothing(staff: Client):
    said = text_of(silence(staff, until="yesterday-ish"))

    assert "nothing was done" in said
    assert AlertState.objects.get().silenced_at is None


def test_a_form_that_is_sent_twice_silences_once(staff: Client):
    for _ in range(2):
        silence(staff, token="t1")

    assert AuditEntry.objects.count() == 1


def test_silencing_needs_its_permission_and_what_was_tried_is_recorded():
    vera = staff_client("view_job", "retry_job", "pause_queue", name="vera")

    (row,) = vera.get(address("queue_alerts")).context["rows"]
    answer = silence(vera)

    assert row.act_url == ""
    assert "Silence…" not in text_of(vera.get(address("queue_dashboard")))
    assert answer.status_code == 403
    assert AuditEntry.objects.get().outcome == "refused"
    assert AlertState.objects.get().silenced_at is None


def test_the_silence_is_ended_by_hand(staff: Client):
    silence(staff)

    said = text_of(
        staff.post(address("queue_act"), {"action": "unsilence_alert", "alert": FORM["alert"]}, follow=True)
    )

    until = AlertState.objects.get().silenced_until
    assert "The alert is told again" in said
    assert isinstance(until, datetime)
    assert "Silenced by" not in text_of(staff.get(address("queue_alerts")))
