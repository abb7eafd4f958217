"""Postgres stops at once in the middle of charges, and comes back: nobody pays twice, and nothing is lost."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.db import OperationalError, connection
from django.utils import timezone

from bookings.models import Booking
from payments import webhooks
from payments.models import StripeEvent
from payments.policies import PaymentStatus
from reyes_estancias.local_stripe.faults import FaultKind
from reyes_estancias.local_stripe.webhooks import sign, write_payload
from tests.acceptance.live_house import SECRET, LiveHouse, at_home_in, states_of_attempts, wait_until
from tests.factories import balance_of
from tests.house import CONFIRM_INTENT, CREATE_INTENT
from tests.workers.postgres import Server, own_server

pytestmark = pytest.mark.slow  # a server of its own for each: make faults runs it

SECONDS_WITHOUT_POSTGRES = 2.0


def stop_at_once(server: Server) -> None:
    """Stop it as a power cut does, and start it again; its sessions die in whatever they were about."""
    connection.close()
    server.crash()
    server.start()


@pytest.mark.parametrize(
    ("fault", "path", "is_there"),
    [
        pytest.param(
            FaultKind.SLOW_AFTER,
            CREATE_INTENT,
            lambda house, bookings: states_of_attempts(bookings) == ["claimed"] * 2,
            id="between the claim and the id of the intent",
        ),
        pytest.param(
            FaultKind.SLOW_BEFORE,
            CONFIRM_INTENT,
            lambda house, bookings: states_of_attempts(bookings) == ["confirming"] * 2,
            id="between the last look and the confirmation",
        ),
        pytest.param(
            FaultKind.SLOW_AFTER,
            CONFIRM_INTENT,
            lambda house, bookings: len(house.balance_lines()) == 2,
            id="between the money and its record",
        ),
    ],
)
def test_a_server_that_stops_at_once_in_a_charge_costs_no_peso(
    live_house: LiveHouse,
    fault: FaultKind,
    path: str,
    is_there: Callable[[LiveHouse, list[Booking]], bool],
):
    with own_server() as server, at_home_in(server):
        bookings = live_house.book_due(2)
        live_house.arm(fault, path=path, count=2, seconds=SECONDS_WITHOUT_POSTGRES)
        with live_house.worker():
            wait_until(lambda: is_there(live_house, bookings))
            stop_at_once(server)
            assert {balance_of(each).status for each in bookings} == {PaymentStatus.PROCESSING}
        live_house.finish()

        live_house.assert_charged_once(bookings)


def test_an_event_that_meets_a_server_that_is_gone_is_taken_when_it_comes_again(live_house: LiveHouse):
    with own_server() as server, at_home_in(server):
        live_house.book_due()
        (event, *_) = live_house.client.v1.events.list({"limit": 1}).data
        payload = write_payload(event.to_dict())
        assert StripeEvent.objects.count() == 0
        connection.close()
        server.crash()

        with pytest.raises(OperationalError):
            tell(live_house, payload)
        server.start()
        connection.close()
        tell(live_house, payload)

        assert StripeEvent.objects.get().pk == event.id
        live_house.finish()


def tell(live_house: LiveHouse, payload: bytes) -> None:
    now = timezone.now()
    signature = sign(payload, secret=SECRET, timestamp=int(now.timestamp()))
    webhooks.receive_event(payload=payload, signature=signature, gateway=live_house.gateway, now=now)
