"""The address that Stripe sends its events to."""

from __future__ import annotations

import pytest
from django.test import Client

from payments.models import StripeEvent
from payments.views import MOST_EVENT_BYTES
from procrastinate_tasks.testing import assert_enqueued
from tests.gateways import GOOD_SIGNATURE

ADDRESS = "/webhooks/stripe/"

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("gateway")]


def send(client, body: bytes = b"evt_1", **headers: str):
    return client.post(ADDRESS, body, content_type="application/json", headers=headers)


def test_a_signed_event_is_stored_and_its_job_deferred(client):
    answer = send(client, stripe_signature=GOOD_SIGNATURE)

    assert (answer.status_code, answer.json()) == (200, {"received": True})
    assert StripeEvent.objects.get().pk == "evt_1"
    assert_enqueued("payments.tasks.apply_stripe_event", {"event_id": "evt_1"})


def test_an_event_sent_again_is_answered_alike_and_stored_once(client):
    answers = [send(client, stripe_signature=GOOD_SIGNATURE) for _ in range(3)]

    assert {answer.status_code for answer in answers} == {200}
    assert StripeEvent.objects.count() == 1


@pytest.mark.parametrize("headers", [{}, {"stripe_signature": ""}, {"stripe_signature": "t=1,v1=forged"}])
def test_an_event_without_a_good_signature_is_refused(client, headers):
    answer = send(client, **headers)

    assert (answer.status_code, answer.json()) == (400, {"error": "invalid signature"})
    assert not StripeEvent.objects.exists()


def test_stripe_needs_no_csrf_token():
    strict = Client(enforce_csrf_checks=True)

    assert send(strict, stripe_signature=GOOD_SIGNATURE).status_code == 200


def test_an_event_too_large_to_be_one_is_refused(client):
    too_large = b"x" * (MOST_EVENT_BYTES + 1)

    assert send(client, too_large, stripe_signature=GOOD_SIGNATURE).status_code in (400, 413)
    assert not StripeEvent.objects.exists()


@pytest.mark.parametrize("method", ["get", "put", "delete"])
def test_only_posts_are_taken(client, method):
    assert getattr(client, method)(ADDRESS).status_code == 405


@pytest.mark.parametrize("body", [b"", b"{", b"\xff\xfe", b'{"id": "evt_1"}'])
def test_the_real_gateway_refuses_what_stripe_did_not_sign(client, settings, body):
    settings.PAYMENTS_GATEWAY = "payments.stripe_gateway.StripeGateway"

    assert send(client, body, stripe_signature="t=1,v1=00").status_code == 400
    assert send(client, body).status_code == 400
