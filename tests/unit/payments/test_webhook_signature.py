"""Stripe's signature of a webhook: what counts, and for how long."""

from __future__ import annotations

import hashlib
import hmac
import json
import time
from datetime import timedelta

import pytest
import stripe

from payments.exceptions import InvalidSignature
from payments.stripe_gateway import StripeGateway
from payments.webhook_signature import is_signed

BODY = b'{"caf\xe9": 1}'
NOW = 1_793_642_400
OURS = "whsec_ours"


def signature(*, stamp: str = str(NOW), body: bytes = BODY, secret: str = OURS) -> str:
    return hmac.new(secret.encode(), stamp.encode() + b"." + body, hashlib.sha256).hexdigest()


def header(*, stamp: str = str(NOW), secret: str = OURS) -> str:
    return f"t={stamp},v1={signature(stamp=stamp, secret=secret)}"


def counts(given: str, *, now: float = NOW) -> bool:
    return is_signed(BODY, header=given, secret=OURS, tolerance=timedelta(seconds=300), now=now)


def test_what_was_signed_with_our_secret_counts():
    assert counts(header())


def test_one_good_signature_among_others_is_enough():
    assert counts(f"t={NOW},v1=00,v0=11,v1={signature()}")


def test_the_order_of_its_parts_does_not_matter():
    assert counts(f"v1={signature()},t={NOW}")


@pytest.mark.parametrize(
    "given",
    [
        "",
        f"t={NOW}",
        f"v1={signature()}",
        f"t={NOW},v1=",
        f"t={NOW},v1=\u00e9",
        f"t={NOW},v0={signature()}",
        header(secret="whsec_another"),
        f"t={NOW + 1},v1={signature()}",
    ],
)
def test_anything_else_does_not(given: str):
    assert not counts(given)


@pytest.mark.parametrize("stamp", ["", "now", "-1", "1e9", "\u0661\u0662", "9" * 13, "\u00b2"])
def test_a_time_that_is_no_number_of_seconds_does_not_count_however_well_it_is_signed(stamp: str):
    assert not counts(header(stamp=stamp), now=0)


def test_a_time_of_as_many_digits_as_seconds_will_ever_have_counts():
    assert counts(header(stamp="9" * 12))


@pytest.mark.parametrize(("seconds_later", "still_counts"), [(300, True), (301, False), (10**9, False)])
def test_a_signature_counts_for_as_long_as_it_is_tolerated(seconds_later: int, still_counts: bool):
    assert counts(header(), now=NOW + seconds_later) is still_counts


@pytest.mark.parametrize(("seconds_ago", "is_read"), [(240, True), (360, False)])
def test_the_gateway_tolerates_five_minutes(seconds_ago: int, is_read: bool):
    body = json.dumps({"id": "evt_1", "type": "charge.succeeded", "data": {"object": {}}}).encode()
    stamp = str(int(time.time()) - seconds_ago)
    signed = f"t={stamp},v1={signature(stamp=stamp, body=body, secret='whsec_old')}"
    gateway = StripeGateway(
        client=stripe.StripeClient("sk_test_none"), webhook_secrets=["whsec_new", "whsec_old"]
    )

    if is_read:
        assert gateway.read_event(payload=body, signature=signed).id == "evt_1"
    else:
        with pytest.raises(InvalidSignature):
            gateway.read_event(payload=body, signature=signed)
