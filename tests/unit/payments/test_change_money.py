"""What moves when a stay moves, case by case at its edges."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bookings import policies as house
from payments.change_money import ChangeFacts, ChangeMoney, plan_change
from payments.policies import PaymentKind


def plan(**facts: object) -> ChangeMoney:
    usual: dict[str, object] = {
        "old_total_minor": 100_000,
        "new_total_minor": 100_000,
        "fewer_nights": False,
        "owed_minor": 100_000,
        "paid_minor": 30_000,
        "owes_balance": True,
        "share_bps": 0,
    }
    merged = {**usual, **facts}
    merged.setdefault("new_deposit_minor", int(str(merged["new_total_minor"])) * 3 // 10)
    return plan_change(ChangeFacts(**merged))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("new_total", "charge", "balance"),
    [
        (100_000, 0, 70_000),
        (103_330, 0, 73_330),  # 9.99 pesos: no card can be charged so little
        (103_334, 1_000, 72_334),
        (200_000, 30_000, 140_000),
    ],
)
def test_a_dearer_stay_tops_the_deposit_up_to_its_share(new_total: int, charge: int, balance: int):
    money = plan(new_total_minor=new_total, new_deposit_minor=round(new_total * 0.3))

    assert (money.charge_minor, money.balance_minor, money.refund_minor) == (charge, balance, 0)
    assert money.kind == (PaymentKind.TOPUP if charge else None)


@pytest.mark.parametrize(
    ("new_total", "refund", "balance"),
    [(30_001, 0, 0), (31_000, 0, 1_000), (30_000, 0, 0), (29_999, 1, 0), (10_000, 20_000, 0)],
)
def test_a_cheaper_stay_gives_back_what_was_paid_beyond_its_total(new_total: int, refund: int, balance: int):
    money = plan(new_total_minor=new_total, fewer_nights=True)

    assert (money.refund_minor, money.balance_minor, money.charge_minor) == (refund, balance, 0)


@pytest.mark.parametrize(("dearer_by", "charge"), [(999, 0), (1_000, 1_000), (50_000, 50_000)])
def test_the_difference_of_a_paid_stay_is_an_extension(dearer_by: int, charge: int):
    money = plan(new_total_minor=100_000 + dearer_by, paid_minor=100_000, owes_balance=False)

    assert (money.charge_minor, money.balance_minor) == (charge, 0)
    assert money.kind == (PaymentKind.EXTENSION if charge else None)


def test_a_paid_stay_that_gets_cheaper_is_paid_back_in_full_while_cancelling_is_free():
    assert plan(new_total_minor=60_000, paid_minor=100_000, owes_balance=False).refund_minor == 40_000


@pytest.mark.parametrize(
    ("share", "paid", "kept", "refund", "balance"),
    [
        (0, 30_000, 0, 10_000, 0),
        (5_000, 30_000, 40_000, 0, 30_000),
        (5_000, 100_000, 80_000, 0, 0),
        (10_000, 30_000, 80_000, 0, 70_000),
    ],
)
def test_nights_given_up_cost_what_cancelling_them_would(
    share: int, paid: int, kept: int, refund: int, balance: int
):
    money = plan(
        new_total_minor=20_000,
        fewer_nights=True,
        share_bps=share,
        paid_minor=paid,
        owes_balance=paid < 100_000,
    )

    assert (money.kept_minor, money.refund_minor, money.balance_minor) == (kept, refund, balance)


def test_a_longer_stay_that_costs_less_gives_up_nothing():
    money = plan(new_total_minor=90_000, share_bps=10_000, paid_minor=100_000, owes_balance=False)

    assert (money.kept_minor, money.refund_minor) == (0, 10_000)


_pesos = st.integers(min_value=1_000, max_value=5_000_000)


@given(old=_pesos, new=_pesos, share=st.sampled_from([0, 5_000, 10_000]), paid_in_full=st.booleans())
def test_shortening_and_then_cancelling_costs_just_what_cancelling_would_have(
    old: int, new: int, share: int, paid_in_full: bool
):
    old, new = max(old, new), min(old, new)
    paid = old if paid_in_full else house.share_half_up(old, house.DEPOSIT_BPS)
    at_once = house.amount_kept_on_cancellation(total_minor=old, paid_minor=paid, share_bps=share)

    money = plan(
        old_total_minor=old,
        new_total_minor=new,
        owed_minor=old,
        paid_minor=paid,
        fewer_nights=new < old,
        share_bps=share,
        owes_balance=not paid_in_full,
    )
    left = paid - money.refund_minor
    in_two_steps = money.kept_minor + house.amount_kept_on_cancellation(
        total_minor=new, paid_minor=max(left - money.kept_minor, 0), share_bps=share
    )

    assert abs(in_two_steps - at_once) <= 1, "each half is rounded for itself"


@given(old=_pesos, new=_pesos, paid=_pesos, share=st.sampled_from([0, 5_000, 10_000]), fewer=st.booleans())
def test_what_moves_adds_up_to_what_is_owed(old: int, new: int, paid: int, share: int, fewer: bool):
    paid = min(paid, old)
    money = plan(
        old_total_minor=old,
        new_total_minor=new,
        owed_minor=old,
        paid_minor=paid,
        fewer_nights=fewer,
        share_bps=share,
    )

    owed = new + money.kept_minor
    waived = owed - paid - money.charge_minor - money.balance_minor + money.refund_minor
    assert 0 <= waived < house.LEAST_CHARGE_MINOR
    assert money.kept_minor <= max(old - new, 0)
    assert not (money.charge_minor and money.refund_minor)
