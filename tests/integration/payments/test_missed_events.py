"""What Stripe told and no webhook brought is read from its list, once, however long nobody listened."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from bookings.models import Booking, BookingStatus
from payments import memory, tasks
from payments.clocks import read_database_clock
from payments.event_types import Subject, rule_for
from payments.exceptions import GatewayBusy
from payments.gateway import Event
from payments.models import StripeEvent, StripeMemory
from payments.protocols import inbox
from reyes_estancias.local_stripe.faults import FaultKind
from tests.house import House

pytestmark = pytest.mark.django_db

EVENTS = "/v1/events"


def told(house: House) -> set[str]:
    """Return the events that matter to us."""
    return {each["id"] for each in house.events() if rule_for(each["type"]).subject is not Subject.NOBODY}


def kept() -> set[str]:
    return set(StripeEvent.objects.values_list("pk", flat=True))


def make_intents(house: House, count: int) -> None:
    """Have Stripe tell of payments that are nobody's."""
    for _ in range(count):
        intent = house.stripe.client.v1.payment_intents.create({"amount": 5_000, "currency": "mxn"})
        house.stripe.client.v1.payment_intents.cancel(intent.id)


def test_a_deposit_is_confirmed_by_the_list_when_no_webhook_comes(house: House):
    hold = house.hold()
    house.open_page(hold)
    house.pay_page(hold)
    house.wait(minutes=2)

    assert tasks.fetch_missed_events() == f"listed={len(told(house))} missed={len(told(house))}"
    event = StripeEvent.objects.get(type="checkout.session.completed")
    assert (event.is_fetched, event.state) == (True, "received")
    assert tasks.apply_stripe_event(event.pk) == "applied"

    assert Booking.objects.get(pk=hold.pk).status == BookingStatus.CONFIRMED


def test_what_came_by_webhook_is_not_taken_in_again(house: House):
    house.book()
    house.deliver_events()
    house.wait(minutes=2)

    assert tasks.fetch_missed_events().endswith("missed=0")

    assert not StripeEvent.objects.filter(is_fetched=True).exists()
    assert not StripeEvent.objects.exclude(repetitions=0).exists()


def test_an_event_of_this_minute_is_left_to_its_webhook(house: House):
    house.book()

    assert tasks.fetch_missed_events() == "listed=0 missed=0"
    house.wait(minutes=2)
    assert tasks.fetch_missed_events() != "listed=0 missed=0"


def test_an_outage_of_days_is_caught_up_page_by_page(house: House):
    tasks.fetch_missed_events()
    make_intents(house, 60)
    house.wait(days=5)
    make_intents(house, 60)
    house.wait(minutes=2)

    tasks.fetch_missed_events()

    assert len(told(house)) == 240
    assert kept() == told(house)
    house.run_jobs()
    assert not StripeEvent.objects.filter(state=StripeEvent.State.RECEIVED).exists()


def test_a_run_that_ends_in_the_middle_goes_on_there(house: House, monkeypatch: pytest.MonkeyPatch):
    tasks.fetch_missed_events()
    began = StripeMemory.objects.get().events_until
    make_intents(house, 1)
    house.wait(days=3)
    make_intents(house, 1)
    house.wait(minutes=2)
    list_events, asked = type(house.gateway).list_events, []

    def fail_later(gateway: object, *, since: datetime, until: datetime) -> Iterator[Event]:
        asked.append(since)
        if len(asked) == 3:
            raise GatewayBusy(operation="list events", detail="429")
        return list_events(house.gateway, since=since, until=until)

    monkeypatch.setattr(type(house.gateway), "list_events", fail_later)
    with pytest.raises(GatewayBusy):
        tasks.fetch_missed_events()

    reached = StripeMemory.objects.get().events_until
    assert began is not None
    assert reached is not None
    assert timedelta(days=1) < reached - began < timedelta(days=3)
    assert len(kept()) == 2
    tasks.fetch_missed_events()
    assert asked[3] >= reached - timedelta(minutes=10)
    assert kept() == told(house)


@pytest.mark.parametrize("fault", [FaultKind.UNAVAILABLE, FaultKind.TRUNCATED, FaultKind.RENAMED])
def test_a_list_that_cannot_be_read_is_not_taken_for_an_empty_one(house: House, fault: FaultKind):
    tasks.fetch_missed_events()
    house.book()
    house.wait(minutes=20)
    before = StripeMemory.objects.get().events_until
    house.arm(fault, path=EVENTS, method="GET", count=5)

    with pytest.raises(Exception, match="list events"):
        tasks.fetch_missed_events()

    assert StripeMemory.objects.get().events_until == before
    house.control.clear_faults()
    tasks.fetch_missed_events()
    assert kept() == told(house)


def test_an_event_that_postgres_cannot_hold_is_parked_and_keeps_no_other(house: House):
    intent = house.stripe.client.v1.payment_intents.create(
        {"amount": 5_000, "currency": "mxn", "metadata": {"note": "\x00"}}
    )
    house.stripe.client.v1.payment_intents.cancel(intent.id)
    make_intents(house, 1)
    house.wait(minutes=2)

    tasks.fetch_missed_events()

    assert kept() == told(house)


def test_the_command_looks_as_far_back_as_it_is_told(house: House):
    make_intents(house, 1)
    house.wait(days=20)
    tasks.fetch_missed_events()
    assert kept() == set()
    said = StringIO()

    call_command("fetch_stripe_events", "--days", "30", stdout=said)

    assert kept() == told(house)
    assert "2" in said.getvalue()
    with pytest.raises(CommandError):
        call_command("fetch_stripe_events", "--days", "31")


def test_the_command_leaves_nothing_unread_between_what_it_is_told_and_what_was_read(house: House):
    tasks.fetch_missed_events()
    house.wait(days=4)
    make_intents(house, 1)
    house.wait(days=3)

    call_command("fetch_stripe_events", "--days", "1", stdout=StringIO())
    tasks.fetch_missed_events()

    assert kept() == told(house)


def while_listing(house: House, monkeypatch: pytest.MonkeyPatch, act: Callable[[], object]) -> list[object]:
    """Have something done each time that Stripe is asked for its list, and return what came of it."""
    list_events, seen = type(house.gateway).list_events, []

    def act_first(gateway: object, *, since: datetime, until: datetime) -> Iterator[Event]:
        monkeypatch.setattr(type(house.gateway), "list_events", list_events)
        seen.append(act())
        return list_events(house.gateway, since=since, until=until)

    monkeypatch.setattr(type(house.gateway), "list_events", act_first)
    return seen


def test_two_do_not_read_the_list_at_the_same_time(house: House, monkeypatch: pytest.MonkeyPatch):
    make_intents(house, 1)
    house.wait(minutes=2)

    def run_both_again() -> object:
        with pytest.raises(CommandError, match="another process"):
            call_command("fetch_stripe_events", "--days", "30")
        return tasks.fetch_missed_events()

    seen = while_listing(house, monkeypatch, run_both_again)

    assert tasks.fetch_missed_events() == "listed=2 missed=2"
    assert seen == ["being_read"]
    assert kept() == told(house)
    assert tasks.fetch_missed_events() == "listed=2 missed=0"


def test_a_run_that_fails_gives_its_turn_up(house: House):
    house.arm(FaultKind.UNAVAILABLE, path=EVENTS, method="GET", count=5)
    with pytest.raises(Exception, match="list events"):
        tasks.fetch_missed_events()
    house.control.clear_faults()

    assert tasks.fetch_missed_events() == "listed=0 missed=0"


def test_the_turn_of_who_stands_still_is_taken_and_stays_with_who_took_it(
    house: House, monkeypatch: pytest.MonkeyPatch
):
    make_intents(house, 1)
    house.wait(minutes=2)
    taken = []

    def stand_still() -> None:
        StripeMemory.objects.update(reading_until=read_database_clock() - timedelta(seconds=1))
        taken.append(memory.begin_reading())

    while_listing(house, monkeypatch, stand_still)

    assert tasks.fetch_missed_events() == "being_read"
    assert StripeMemory.objects.get().reading_until == taken[0] is not None
    assert StripeMemory.objects.get().events_until is None


def test_the_command_says_in_a_sentence_that_stripe_cannot_be_asked(house: House):
    house.arm_everything_unavailable()

    with pytest.raises(CommandError, match=r"."):
        call_command("fetch_stripe_events")


def test_how_far_was_read_never_goes_back(house: House):
    tasks.fetch_missed_events()
    known = StripeMemory.objects.get().events_until

    asked: Any = inbox.fetch_missed(gateway=house.gateway, now=house.now - timedelta(days=2))

    assert asked.listed == 0
    assert StripeMemory.objects.get().events_until == known
