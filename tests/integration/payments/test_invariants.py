"""What the house asks of its own rows: each invariant finds the row that breaks it, a clean house none."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from io import StringIO
from typing import Any
from uuid import uuid4

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.db.backends.postgresql.psycopg_any import DateRange
from django.db.models import F
from freezegun import freeze_time

from bookings.models import Booking, NightBlock
from bookings.services import complete_departed
from payments import attention, policies, tasks
from payments.invariants import checking
from payments.invariants.catalogue import INVARIANTS, named
from payments.ledger import claims, outcomes
from payments.models import (
    BookingAccount,
    Dunning,
    GuestEmail,
    InvariantCheck,
    LedgerTransfer,
    Payment,
    PaymentAttempt,
    ReconciliationBreak,
    Refund,
    StripeEvent,
)
from payments.panels.unfinished import tell_unfinished
from payments.protocols.cancellation import settle_cancellation
from payments.services import request_cancellation
from procrastinate_tasks import pause_queue
from procrastinate_tasks.jobs.deferring import defer
from procrastinate_tasks.models import ScheduleState
from tests.factories import (
    BASE_URL,
    balance_of,
    make_confirmed_booking,
    make_deposit_attempt,
    make_hold,
    make_intent,
    make_property,
)
from tests.gateways import FakeGateway
from tests.integration.constraints import check_deferred_rules, drop_index, drop_rules

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 11, 2, 18, tzinfo=UTC)
DUE = NOW + timedelta(days=15)
LATER = DUE + timedelta(days=10)


@contextmanager
def unguarded() -> Iterator[None]:
    """Write what the database's triggers would refuse."""
    check_deferred_rules()
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL session_replication_role = replica")
        yield
        cursor.execute("SET LOCAL session_replication_role = DEFAULT")


def broken(now: datetime = LATER) -> dict[str, tuple[str, ...]]:
    return {
        each.invariant.name: each.rows or (each.problem,)
        for each in checking.check(now=now)
        if not each.holds
    }


def pay_balance(booking: Booking) -> PaymentAttempt:
    attempt = claims.claim_balance(booking_id=booking.pk, base_url=BASE_URL, now=DUE).attempt
    assert attempt is not None
    return outcomes.record_intent(attempt_id=attempt.pk, intent=make_intent(attempt), now=DUE)


def cancel(booking, *, now):
    request_cancellation(booking=booking, base_url=BASE_URL, now=now)
    settle_cancellation(booking_id=booking.pk, base_url=BASE_URL, gateway=FakeGateway(), now=now)  # type: ignore[arg-type]
    booking.refresh_from_db()
    return booking


def paid_stay() -> Booking:
    booking = make_confirmed_booking(now=NOW)
    pay_balance(booking)
    return booking


def deposit_of(booking: Booking) -> PaymentAttempt:
    return PaymentAttempt.objects.get(payment__booking=booking, payment__kind="deposit")


def transfer(booking: Booking, source_type: str, debit: str, credit: str) -> LedgerTransfer:
    return LedgerTransfer.objects.create(
        booking=booking,
        source_type=source_type,
        source_id=uuid4().hex,
        debit=debit,
        credit=credit,
        amount_minor=700,
        currency="mxn",
        posted_at=NOW,
    )


def make_break(*, age: timedelta) -> ReconciliationBreak:
    found_at = LATER - age
    return ReconciliationBreak.objects.create(
        kind="foreign_charge", stripe_id="pi_x", theirs="succeeded", found_at=found_at, seen_at=found_at
    )


def test_a_house_in_order_breaks_none():
    make_hold(now=LATER)
    make_deposit_attempt(booking=make_hold(now=LATER), now=LATER)
    make_confirmed_booking(now=LATER)
    paid_stay()
    cancel(make_confirmed_booking(now=NOW, check_in=(NOW + timedelta(days=30)).date()), now=NOW)
    fined = cancel(make_confirmed_booking(now=NOW, check_in=(NOW + timedelta(days=3)).date()), now=NOW)
    complete_departed(now=LATER)
    Refund.objects.update(check_at=LATER)

    assert Booking.objects.filter(status="completed").exists()
    assert fined.payments.filter(kind="fee").exists()
    assert broken() == {}


def break_i1() -> str:
    booking = paid_stay()
    with unguarded():
        BookingAccount.objects.filter(booking=booking).update(captured_minor=F("captured_minor") - 700)
    return f"booking {booking.pk}"


def break_i1_of_a_settled_stay() -> str:
    booking = make_confirmed_booking(now=NOW)
    Booking.objects.filter(pk=booking.pk).update(settled_at=NOW)
    return f"booking {booking.pk}"


def break_i2() -> str:
    attempt = pay_balance(make_confirmed_booking(now=NOW))
    drop_rules(drop_index("payments_one_live_or_won_attempt"))
    with unguarded():
        PaymentAttempt.objects.filter(pk=attempt.pk).update(state="succeeded")
        attempt.pk, attempt.n, attempt.key, attempt.stripe_intent_id = None, 2, uuid4(), "pi_second"
        attempt.save(force_insert=True)
    return f"payment {attempt.payment_id}"


def break_i2_by_two_balances() -> str:
    balance = pay_balance(make_confirmed_booking(now=NOW)).payment
    drop_rules(drop_index("payments_one_balance_per_booking"))
    with unguarded():
        balance.pk, balance.seq, balance.status = None, 2, "paid"
        balance.save(force_insert=True)
    return f"booking {balance.booking_id}"


def break_i3() -> str:
    payment = balance_of(make_confirmed_booking(now=NOW))
    with unguarded():
        Payment.objects.filter(pk=payment.pk).update(status="paid")
    return f"payment {payment.pk}"


def break_i3_by_a_charge_that_is_not_posted() -> str:
    attempt = pay_balance(make_confirmed_booking(now=NOW))
    with unguarded():
        LedgerTransfer.objects.filter(source_id=attempt.stripe_intent_id).delete()
    return f"attempt {attempt.pk}"


def break_i3_by_a_transfer_of_nothing() -> str:
    with unguarded():
        posted = transfer(paid_stay(), "payment_intent", "stripe", "receivable")
    return f"transfer {posted.pk}"


def break_i4() -> str:
    attempt = pay_balance(make_confirmed_booking(now=NOW))
    GuestEmail.objects.filter(payment=attempt.payment).delete()
    return f"payment {attempt.payment_id}"


def break_i4_by_a_receipt_of_nothing() -> str:
    payment = balance_of(make_confirmed_booking(now=NOW))
    email = GuestEmail.objects.create(
        booking=payment.booking, payment=payment, kind="receipt", base_url=BASE_URL, created_at=NOW
    )
    return f"email {email.pk}"


def break_i5() -> str:
    return f"break {make_break(age=timedelta(minutes=11)).pk}"


def break_i6() -> str:
    first = make_confirmed_booking(now=NOW, home=make_property())
    second = make_confirmed_booking(now=NOW)
    drop_rules("ALTER TABLE bookings_nightblock DROP CONSTRAINT bookings_night_blocks_never_overlap")
    with unguarded():
        NightBlock.objects.filter(booking=second).update(home=first.home)
    return f"booking {second.pk}"


def break_i6_by_letting_nights_go() -> str:
    booking = make_confirmed_booking(now=NOW)
    with unguarded():
        NightBlock.objects.filter(booking=booking).update(active=False, released_at=NOW, release_proof="none")
    return f"booking {booking.pk}"


def break_i7() -> str:
    attempt = claims.claim_balance(
        booking_id=make_confirmed_booking(now=NOW).pk, base_url=BASE_URL, now=DUE
    ).attempt
    assert attempt is not None
    return f"attempt {attempt.pk}"


def break_i7_by_two_that_may_take_money() -> str:
    return break_i2()


def break_i8() -> str:
    booking = paid_stay()
    with unguarded():
        BookingAccount.objects.filter(booking=booking).update(disputed_minor=1)
    return f"booking {booking.pk}"


def break_i8_by_an_account_that_is_gone() -> str:
    booking = cancel(make_confirmed_booking(now=NOW, check_in=(NOW + timedelta(days=30)).date()), now=NOW)
    with unguarded():
        LedgerTransfer.objects.filter(booking=booking).exclude(
            source_type__in=["quote", "cancellation"]
        ).delete()
        BookingAccount.objects.filter(booking=booking).delete()
    return f"booking {booking.pk}"


def break_i8_by_a_sum_at_another_booking() -> str:
    booking, other = paid_stay(), paid_stay()
    with unguarded():
        BookingAccount.objects.filter(booking=booking).update(lost_minor=300)
        BookingAccount.objects.filter(booking=other).update(lost_minor=0)
        transfer(other, "dispute_loss", "dispute_losses", "disputes")
        LedgerTransfer.objects.filter(source_type="dispute_loss").update(amount_minor=300)
    return f"booking {booking.pk}"


def break_i3_by_two_that_changed_places() -> str:
    attempt, other = (
        pay_balance(make_confirmed_booking(now=NOW)),
        pay_balance(make_confirmed_booking(now=NOW)),
    )
    with unguarded():
        PaymentAttempt.objects.filter(pk=other.pk).update(amount_minor=F("amount_minor") + 1)
        PaymentAttempt.objects.filter(pk=attempt.pk).update(amount_minor=F("amount_minor") - 1)
    return f"attempt {attempt.pk}"


def break_i6_by_other_nights() -> str:
    booking, other = make_confirmed_booking(now=NOW), make_confirmed_booking(now=NOW)
    nights = NightBlock.objects.get(booking=booking).nights
    with unguarded():
        NightBlock.objects.filter(booking=other).update(nights=nights)
        NightBlock.objects.filter(booking=booking).update(
            nights=DateRange(nights.lower + timedelta(days=90), nights.upper + timedelta(days=90))
        )
    return f"booking {booking.pk}"


def break_i9() -> str:
    return f"booking {make_confirmed_booking(now=NOW).pk}"


def break_i9_by_a_job_on_a_dead_worker() -> str:
    job_id = defer("payments.tasks.scan_and_charge_balances")
    with connection.cursor() as cursor:
        cursor.execute("UPDATE procrastinate_jobs SET status = 'doing' WHERE id = %s", [job_id])
        cursor.execute("UPDATE procrastinate_events SET at = %s WHERE job_id = %s", [NOW, job_id])
    return f"job {job_id}"


def refused(*, next_at: datetime | None) -> Booking:
    """Return a booking whose card said no, and whose next try is due at an instant."""
    booking = make_confirmed_booking(now=NOW)
    payment = booking.payments.get(kind="balance")
    Payment.objects.filter(pk=payment.pk).update(status="failed", reason="insufficient_funds")
    Dunning.objects.create(
        payment=payment,
        step=1,
        decline_class="soft",
        last_code="insufficient_funds",
        next_at=next_at,
        created_at=DUE,
        updated_at=DUE,
    )
    return booking


def break_i9_by_a_next_try_that_nobody_made() -> str:
    return f"booking {refused(next_at=LATER - timedelta(hours=2)).pk}"


def break_i10() -> str:
    event = StripeEvent.objects.create(
        event_id="evt_1", type="x", object_id="y", payload={}, created_at=NOW, received_at=NOW
    )
    return f"event {event.pk}"


def break_i11() -> str:
    refund = asked_back()
    with unguarded():
        Refund.objects.filter(pk=refund.pk).update(state="succeeded", stripe_refund_id="re_1")
    return f"refund {refund.pk}"


def break_i12() -> str:
    booking = cancel(make_confirmed_booking(now=NOW, check_in=(NOW + timedelta(days=3)).date()), now=NOW)
    booking.payments.filter(kind="fee").update(status="void")
    return f"booking {booking.pk}"


def break_i13() -> str:
    booking = make_hold(now=NOW)
    Booking.objects.filter(pk=booking.pk).update(settled_at=NOW)
    return f"booking {booking.pk}"


def break_i14() -> str:
    email = GuestEmail.objects.get(booking=make_confirmed_booking(now=NOW))
    GuestEmail.objects.filter(pk=email.pk).update(sent_at=NOW, dropped_at=NOW)
    return f"email {email.pk}"


def break_i14_by_writing_twice() -> str:
    email = GuestEmail.objects.get(booking=make_confirmed_booking(now=NOW))
    drop_rules("ALTER TABLE payments_guestemail DROP CONSTRAINT payments_one_email_per_version")
    first, email.pk = email.pk, None
    email.save(force_insert=True)
    return f"email {first}"


def break_i15() -> str:
    booking = paid_stay()
    complete_departed(now=LATER)
    transfer(booking, "quote", "receivable", "lodging")
    return f"booking {booking.pk}"


def break_i16() -> str:
    check_deferred_rules()
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE payments_ledgertransfer DISABLE TRIGGER payments_ledger_is_append_only")
    return "trigger payments_ledger_is_append_only"


def break_i17() -> str:
    return f"refund {asked_back().pk}"


def break_i18() -> str:
    return f"break {make_break(age=timedelta(hours=25)).pk}"


def break_i18_by_comparing_nothing() -> str:
    name = "payments.tasks.reconcile_with_stripe"
    ScheduleState.objects.update_or_create(
        name=name, defaults={"last_tick_at": NOW, "last_deferred_tick_at": NOW}
    )
    return f"schedule {name}"


def asked_back() -> Refund:
    return Refund.objects.create(
        attempt=deposit_of(paid_stay()),
        amount_minor=5_000,
        currency="mxn",
        reason="test",
        check_at=NOW,
        created_at=NOW,
        updated_at=NOW,
    )


FAULTS: tuple[Callable[[], str], ...] = tuple(
    made for name, made in list(globals().items()) if name.startswith("break_i")
)


def name_of(fault: Callable[[], str]) -> str:
    return fault.__name__.split("_")[1].upper()


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.__name__)
def test_the_row_that_breaks_an_invariant_is_found(fault: Callable[[], str]):
    row = fault()

    assert row in broken()[name_of(fault)]


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.__name__)
def test_a_first_look_suspects_whatever_is_broken(fault: Callable[[], str]):
    fault()

    seen = broken()

    in_full = (replace(each, first_look="") for each in INVARIANTS)
    assert seen == {
        each.invariant.name: each.rows for each in checking.check(now=LATER, invariants=in_full) if each.count
    }


def test_a_first_look_clears_what_holds_and_each_has_its_part_of_the_time(
    monkeypatch: pytest.MonkeyPatch,
):
    paid_stay()
    cancel(make_confirmed_booking(now=NOW, check_in=(NOW + timedelta(days=30)).date()), now=NOW)
    monkeypatch.setattr(checking, "_find", lambda *_: pytest.fail("a row-by-row look at what holds"))

    verdicts = list(checking.check(now=LATER, invariants=named(["I1", "I3", "I8"])))

    assert [(each.invariant.name, each.holds) for each in verdicts] == [
        ("I1", True),
        ("I3", True),
        ("I8", True),
    ]
    assert len({each.seconds for each in verdicts}) == 1


def test_after_a_first_look_that_runs_out_of_time_nothing_dearer_is_asked(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(checking, "read_sql", lambda _: "SELECT pg_sleep(30)")
    monkeypatch.setattr(checking, "_LONGEST", "20ms")
    monkeypatch.setattr(checking, "_find", lambda *_: pytest.fail("a dearer look"))

    verdicts = list(checking.check(now=LATER, invariants=named(["I1", "I3", "I4", "I8"])))

    assert [each.problem for each in verdicts] == ["OperationalError"] * 4


def test_a_first_look_that_cannot_be_taken_clears_nothing(monkeypatch: pytest.MonkeyPatch):
    row = break_i8()
    monkeypatch.setattr(checking, "read_sql", lambda _: "SELECT 1 / 0")

    assert row in broken()["I8"]


@pytest.mark.parametrize("next_at", [LATER - timedelta(minutes=20), LATER + timedelta(days=1), None])
def test_a_next_try_that_comes_yet_or_never_breaks_nothing(next_at: datetime | None):
    refused(next_at=next_at)

    assert broken() == {}


def test_a_next_try_that_waits_for_a_reason_breaks_nothing():
    refused(next_at=LATER - timedelta(hours=2))
    pause_queue(queue="payments", by="Ana", reason="Closed.")

    assert broken() == {}


def test_a_transfer_that_was_posted_to_another_booking_is_found():
    booking, other = paid_stay(), paid_stay()
    with unguarded():
        posted = LedgerTransfer.objects.filter(booking=booking, source_type="payment_intent")
        posted.filter(pk=posted[0].pk).update(booking=other)

    found = broken()["I8"]

    assert {f"booking {each.pk}" for each in (booking, other)} <= set(found)


@pytest.mark.parametrize("change", [{"amount_minor": 1}, {"source_id": "pi_other"}, {"currency": "usd"}])
def test_a_transfer_that_is_not_its_attempt_s_is_found_by_its_fingerprint(change: dict[str, Any]):
    paid_stay()
    booking = paid_stay()
    with unguarded():
        posted = LedgerTransfer.objects.filter(booking=booking, source_type="payment_intent")
        posted.filter(pk=posted[0].pk).update(**change)

    assert broken()["I3"]


@pytest.mark.parametrize(
    ("name", "rule"),
    [
        ("payments_one_live_or_won_attempt", "(payment_id) WHERE ((state)::text = ANY"),
        (
            "payments_one_balance_per_booking",
            "(booking_id) WHERE (((kind)::text = 'balance'::text) AND (NOT ((status)::text = 'void'::text)))",
        ),
        (
            "payments_one_email_per_version",
            "(booking_id, kind, payment_id, refund_id, version) NULLS NOT DISTINCT",
        ),
    ],
)
def test_a_rule_by_which_an_invariant_holds_says_what_the_invariant_asks(name: str, rule: str):
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT pg_get_indexdef(indexrelid) FROM pg_index"
            " WHERE indexrelid = to_regclass(%s) AND indisunique AND indisvalid",
            [name],
        )
        (definition,) = cursor.fetchone()

    assert rule in definition
    if "state" in rule:
        assert all(f"'{state}'" in definition for state in policies.LIVE_OR_WON_STATES)


def test_every_invariant_is_broken_by_a_test():
    assert {name_of(fault) for fault in FAULTS} == {each.name for each in INVARIANTS}


def test_every_trigger_of_money_and_nights_is_watched():
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT tgname FROM pg_trigger JOIN pg_class ON pg_class.oid = tgrelid"
            " WHERE NOT tgisinternal AND (relname LIKE 'payments\\_%' OR relname LIKE 'bookings\\_%')"
        )
        triggers = {name for (name,) in cursor.fetchall()}

    (guards,) = named(["I16"])

    assert triggers
    assert {name for name in triggers if f"'{name}'" not in guards.sql} == set()


def test_an_invariant_that_cannot_be_asked_is_told_and_keeps_no_other():
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE payments_stripeevent RENAME COLUMN state TO was_state")

    verdicts = {
        each.invariant.name: each for each in checking.check(now=LATER, invariants=named(["I10", "I14"]))
    }

    assert verdicts["I10"].problem == "ProgrammingError"
    assert set(verdicts) == {"I10", "I14"}


def test_staff_are_told_which_rows_break_what_until_they_do_not():
    booking = make_confirmed_booking(now=NOW)
    with freeze_time(LATER):
        assert tasks.check_invariants() == "checked=18 broken=1"
        concern = next(each for each in attention.CONCERNS if each.name == "invariants_broken")
        told = concern.describe(concern.rows())
        assert "I9" in told and f"booking {booking.pk}" in told
        assert told in [notice.sentence for notice in tell_unfinished().notices]

    pay_balance(booking)
    InvariantCheck.objects.update(seconds=0)  # Whatever else this machine was busy with.
    with freeze_time(LATER + timedelta(minutes=5)):
        assert tasks.check_invariants() == "checked=18 broken=0"
    assert not concern.rows().exists()
    assert InvariantCheck.objects.count() == len(INVARIANTS)


def test_since_when_an_invariant_is_broken_is_kept():
    make_confirmed_booking(now=NOW)
    for minutes in (0, 5):
        checking.check_and_keep(now=LATER + timedelta(minutes=minutes))

    kept = InvariantCheck.objects.get(name="I9")

    assert (kept.broken_since, kept.checked_at) == (LATER, LATER + timedelta(minutes=5))


def asked(now: datetime) -> set[str]:
    """Return which invariants the schedule would ask at an instant, without asking."""
    return {each.name for each in checking.due(now=now)}


@pytest.mark.parametrize(
    ("seconds", "wait"),
    [(6.0, timedelta(hours=1)), (600.0, timedelta(days=1))],
    ids=["by what it takes", "daily at least"],
)
def test_what_takes_long_is_asked_less_often(seconds: float, wait: timedelta):
    every = {each.name for each in INVARIANTS}
    assert asked(LATER) == every
    checking.check_and_keep(now=LATER)
    InvariantCheck.objects.update(seconds=0)
    InvariantCheck.objects.filter(name="I1").update(seconds=seconds)

    assert asked(LATER + timedelta(minutes=5)) == every - {"I1"}
    checking.check_and_keep(now=LATER + timedelta(minutes=5))

    assert InvariantCheck.objects.get(name="I1").checked_at == LATER
    assert "I1" not in asked(LATER + wait - timedelta(minutes=1))
    assert "I1" in asked(LATER + wait)


@pytest.mark.parametrize(("count", "is_asked"), [(1, True), (0, False)], ids=["broken", "cannot be asked"])
def test_what_is_broken_is_asked_each_time_and_what_runs_out_of_time_is_not(count: int, is_asked: bool):
    checking.check_and_keep(now=LATER)
    slow = InvariantCheck.objects.filter(name="I3")
    slow.update(seconds=60, count=count, broken_since=LATER, problem="" if count else "QueryCanceled")

    assert ("I3" in asked(LATER + timedelta(minutes=5))) is is_asked


@freeze_time(LATER)
def test_the_command_names_the_rows_and_fails():
    booking = make_confirmed_booking(now=NOW)
    written = StringIO()

    with pytest.raises(CommandError, match="1"):
        call_command("check_invariants", "--json", stdout=written)

    found = {each["name"]: each for each in json.loads(written.getvalue())}
    assert found["I9"]["rows"] == [f"booking {booking.pk}"]
    assert [name for name, each in found.items() if not each["holds"]] == ["I9"]


def test_the_command_can_be_asked_for_some():
    written = StringIO()

    call_command("check_invariants", "i8", stdout=written)

    assert written.getvalue().startswith("I8 ")
    with pytest.raises(CommandError, match="I99"):
        call_command("check_invariants", "I99")
