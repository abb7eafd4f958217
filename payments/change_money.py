"""What moves when a stay moves to other nights. Pure: no Django, no I/O.

    A    balance unpaid, dearer     the deposit is topped up to its share of the new total, then dates apply
    B    balance unpaid, no dearer  dates apply; what was paid beyond what is owed goes back
    C1   balance paid, dearer       the difference is charged, then dates apply
    C2   balance paid, cheaper      dates apply; the difference goes back

Where fewer nights remain, cancelling those given up would cost the same: the house keeps what it would then.
"""

from __future__ import annotations

from dataclasses import dataclass

from bookings import policies as house
from payments.policies import PaymentKind


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangeFacts:
    """A booking's money, and what the new nights cost.

    Attributes:
        fewer_nights: the stay gets shorter.
        owed_minor: what the guest owes in all, before the change.
        paid_minor: of it, what was paid and is not on its way back.
        owes_balance: there is a balance that is not paid yet.
        share_bps: what cancelling today would cost.
    """

    old_total_minor: int
    new_total_minor: int
    new_deposit_minor: int
    fewer_nights: bool
    owed_minor: int
    paid_minor: int
    owes_balance: bool
    share_bps: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangeMoney:
    """What moves with a change, in centavos.

    Attributes:
        kind: of what is paid before the dates apply, ``None`` when they apply at once.
        charge_minor: that sum.
        refund_minor: what goes back to the card.
        balance_minor: what is charged later.
        kept_minor: what is kept of nights given up.
    """

    kind: PaymentKind | None
    charge_minor: int
    refund_minor: int
    balance_minor: int
    kept_minor: int

    @property
    def can_be_charged(self) -> bool:
        return house.can_be_charged(self.charge_minor) and house.can_be_charged(self.balance_minor)


def plan_change(facts: ChangeFacts) -> ChangeMoney:
    """Decide what is charged, given back and kept when a stay moves."""
    kept = _kept(facts)
    rest = _owed_beside_the_stay(facts) + facts.new_total_minor + kept - facts.paid_minor
    kind, charge = _charge_first(facts, rest)
    later = max(rest - charge, 0) if facts.owes_balance else 0
    return ChangeMoney(
        kind=kind,
        charge_minor=charge,
        refund_minor=max(-rest, 0),
        balance_minor=later if later >= house.LEAST_CHARGE_MINOR else 0,
        kept_minor=kept,
    )


def _owed_beside_the_stay(facts: ChangeFacts) -> int:
    """Return what is owed of earlier changes, less what was let go."""
    return facts.owed_minor - facts.old_total_minor


def _kept(facts: ChangeFacts) -> int:
    if not facts.fewer_nights:
        return 0
    return house.amount_kept_of_nights_given_up(
        given_up_minor=facts.old_total_minor - facts.new_total_minor,
        paid_beyond_minor=facts.paid_minor - _owed_beside_the_stay(facts) - facts.new_total_minor,
        share_bps=facts.share_bps,
    )


def _charge_first(facts: ChangeFacts, rest_minor: int) -> tuple[PaymentKind | None, int]:
    dearer_by = facts.new_total_minor - facts.old_total_minor
    if facts.owes_balance:
        kind, missing = PaymentKind.TOPUP, facts.new_deposit_minor - facts.paid_minor
    else:
        kind, missing = PaymentKind.EXTENSION, dearer_by
    charge = min(missing, rest_minor)
    if dearer_by <= 0 or charge < house.LEAST_CHARGE_MINOR:
        return None, 0  # No card can be charged so little.
    return kind, charge
