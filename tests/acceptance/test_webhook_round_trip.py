"""``verify_setup`` proves one webhook: made at Stripe, signed by it, taken in by the site itself."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from payments import gateway, tasks
from payments.models import ReconciliationBreak, StripeEvent
from payments.stripe_gateway import StripeGateway
from procrastinate_tasks.verification.verdicts import Level
from reyes_estancias import setup_checks
from tests.acceptance.live_house import LiveHouse


def register(live_house: LiveHouse, url: str, monkeypatch: pytest.MonkeyPatch, *, events: list[Any]) -> None:
    """Register the site's endpoint at Stripe, and give the site its secret."""
    endpoint = live_house.client.v1.webhook_endpoints.create(
        {"url": f"{url}/webhooks/stripe/", "enabled_events": events}
    )
    ours = StripeGateway(client=live_house.client, webhook_secrets=[endpoint.secret or ""])
    monkeypatch.setattr(gateway, "_build_gateway", lambda path: ours)


def test_a_webhook_makes_its_round_and_no_money_moves(
    live_house: LiveHouse, live_server: Any, monkeypatch: pytest.MonkeyPatch
):
    register(live_house, live_server.url, monkeypatch, events=["payment_intent.*"])

    verdict = setup_checks.check_webhook()

    assert verdict.level is Level.OK, verdict.sentence
    assert live_house.control.statement() == []
    (intent,) = live_house.client.v1.payment_intents.list().data
    assert (intent.status, intent.customer, intent.payment_method) == ("canceled", None, None)
    for event in StripeEvent.objects.all():
        assert tasks.apply_stripe_event(event.pk) == "ignored"
    assert tasks.reconcile_with_stripe().endswith("open=0")
    assert not ReconciliationBreak.objects.exists()


@pytest.mark.parametrize("fault", ["another address", "other events", "another secret"])
def test_a_webhook_that_does_not_arrive_is_told_even_if_its_event_was_fetched(
    live_house: LiveHouse, live_server: Any, monkeypatch: pytest.MonkeyPatch, fault: str
):
    url = live_server.url + ("/elsewhere" if fault == "another address" else "")
    events = ["charge.refunded"] if fault == "other events" else ["*"]
    register(live_house, url, monkeypatch, events=events)
    if fault == "another secret":
        ours = StripeGateway(client=live_house.client, webhook_secrets=["whsec_other"])
        monkeypatch.setattr(gateway, "_build_gateway", lambda path: ours)
    monkeypatch.setattr(setup_checks, "WEBHOOK_WITHIN", timedelta(seconds=2))
    monkeypatch.setattr("payments.protocols.inbox.GRACE", timedelta(minutes=-1))

    def look_while_fetched(ours: StripeGateway) -> str:
        object_id = cause_events(ours)
        tasks.fetch_missed_events()
        assert StripeEvent.objects.filter(object_id=object_id, is_fetched=True).exists()
        return object_id

    cause_events = StripeGateway.cause_events
    monkeypatch.setattr(StripeGateway, "cause_events", look_while_fetched)
    verdict = setup_checks.check_webhook()

    assert verdict.level is Level.WARNING
    assert "/webhooks/stripe/" in verdict.fix


@pytest.mark.parametrize(("is_fetched", "level"), [(False, Level.OK), (True, Level.WARNING)])
def test_with_a_live_key_nothing_is_made_and_the_last_day_is_judged(
    live_house: LiveHouse, settings: Any, is_fetched: bool, level: Level
):
    settings.STRIPE_SECRET_KEY = "sk_live_" + "0" * 20
    now = timezone.now()
    StripeEvent.objects.create(
        event_id="evt_1",
        type="payout.failed",
        payload={},
        created_at=now,
        received_at=now,
        is_fetched=is_fetched,
    )

    assert setup_checks.check_webhook().level is level

    assert live_house.client.v1.payment_intents.list().data == []
