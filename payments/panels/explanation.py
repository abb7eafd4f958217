"""Was I charged twice, and why this amount? A booking's money told in one sentence, then line by line.

Every sum is reckoned from the ledger, not read from the account: the account is one of the things explained.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from django.utils.text import capfirst
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from bookings.models import Booking
from bookings.money import format_pesos
from payments.models import Account, LedgerTransfer, Payment, PaymentAttempt
from payments.panels.booking_file import BookingFile, read_file, read_jobs
from payments.policies import AttemptState


@dataclass(frozen=True, slots=True, kw_only=True)
class Sums:
    """What the ledger says of a booking, in centavos."""

    owed_minor: int
    charged_minor: int
    returned_minor: int
    disputed_minor: int
    lost_minor: int

    @property
    def due_minor(self) -> int:
        return self.owed_minor - self.charged_minor + self.returned_minor + self.lost_minor


@dataclass(frozen=True, slots=True, kw_only=True)
class IntentMoney:
    """What one PaymentIntent took, and what of it went back or is held by a bank, in centavos."""

    intent_id: str
    payment: str
    charged_minor: int
    returned_minor: int
    disputed_minor: int

    @property
    def kept_minor(self) -> int:
        return self.charged_minor - self.returned_minor - self.disputed_minor


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One row, by its id; ``at`` is when it came to be what it is."""

    row: str
    words: str
    amount_minor: int | None = None
    at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    name: str
    title: str
    lines: tuple[Line, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """The answer first, then everything it rests on.

    Attributes:
        twice: the payments that were charged more than once.
    """

    booking: Booking
    sentence: str
    twice: tuple[str, ...]
    sums: Sums
    intents: tuple[IntentMoney, ...]
    sections: tuple[Section, ...]


def explain(booking: Booking, *, now: datetime, with_jobs: bool) -> Explanation:
    """Tell a booking's money in the language that is active."""
    file = read_file(booking, now=now)
    sums, twice = _add_up(file.transfers), _charged_twice(file)
    return Explanation(
        booking=booking,
        sentence=_answer(file, sums, twice),
        twice=twice,
        sums=sums,
        intents=tuple(_of_intents(file)),
        sections=_sections(file, with_jobs=with_jobs),
    )


# --- The answer -------------------------------------------------------------------------------------------


def _answer(file: BookingFile, sums: Sums, twice: Sequence[str]) -> str:
    quote = file.booking.quote
    charges = sum(transfer.source_type == "payment_intent" for transfer in file.transfers)
    words = {
        "twice": ", ".join(twice),
        "charged": format_pesos(sums.charged_minor),
        "charges": ngettext("%(count)d charge", "%(count)d charges", charges) % {"count": charges},
        "owed": format_pesos(sums.owed_minor),
        "total": format_pesos(quote.total_minor),
        "price": _price(file.booking),
        "returned": format_pesos(sums.returned_minor),
        "due": format_pesos(sums.due_minor),
    }
    if twice:
        return (
            _(
                "Yes, charged twice: %(twice)s; %(charged)s in %(charges)s, where %(owed)s is owed for a stay"
                " of %(total)s (%(price)s); %(returned)s was given back and %(due)s is still due."
            )
            % words
        )
    return (
        _(
            "No, nothing was charged twice: %(charged)s in %(charges)s, where %(owed)s is owed for a stay of"
            " %(total)s (%(price)s); %(returned)s was given back and %(due)s is still due."
        )
        % words
    )


def _price(booking: Booking) -> str:
    return ", ".join(f"{line.words} {format_pesos(line.amount_minor or 0)}" for line in _of_quote(booking))


def _charged_twice(file: BookingFile) -> tuple[str, ...]:
    """Name the payments whose money the ledger has more than once; a balance also under another number."""
    captures = {each.source_id for each in file.transfers if each.source_type == "payment_intent"}
    names: list[str] = []
    for payment in file.payments:
        took = [each for each in payment.attempts.all() if each.stripe_intent_id in captures]
        names += [_name(payment)] * len(took)
    doubled = [name for name in dict.fromkeys(names) if names.count(name) > 1]
    balances = [name for name in dict.fromkeys(names) if name.startswith(f"{_('balance')} ")]
    return tuple(dict.fromkeys([*doubled, *(balances if len(balances) > 1 else ())]))


def _name(payment: Payment) -> str:
    return f"{payment.get_kind_display()} {payment.seq}"


# --- The sums ---------------------------------------------------------------------------------------------


def _add_up(transfers: Sequence[LedgerTransfer]) -> Sums:
    charged = _posted(transfers, "payment_intent")
    returned = _posted(transfers, "refund") - _posted(transfers, "refund_failure")
    return Sums(
        owed_minor=_net(transfers, Account.RECEIVABLE) + charged - returned,
        charged_minor=charged,
        returned_minor=returned,
        disputed_minor=_net(transfers, Account.DISPUTES),
        lost_minor=_net(transfers, Account.DISPUTE_LOSSES),
    )


def _posted(transfers: Sequence[LedgerTransfer], source_type: str) -> int:
    return sum(each.amount_minor for each in transfers if each.source_type == source_type)


def _net(transfers: Sequence[LedgerTransfer], account: Account) -> int:
    signs = ((each.amount_minor, (each.debit == account) - (each.credit == account)) for each in transfers)
    return sum(amount * sign for amount, sign in signs)


def _of_intents(file: BookingFile) -> Iterator[IntentMoney]:
    for payment, attempt in _attempts(file):
        if not attempt.stripe_intent_id:
            continue
        refunds = {refund.stripe_refund_id for refund in attempt.refunds.all()}
        disputes = {each.stripe_dispute_id for each in file.disputes if each.attempt_id == attempt.pk}
        of_refunds = [each for each in file.transfers if each.source_id in refunds]
        of_disputes = [each for each in file.transfers if each.source_id.partition(":")[0] in disputes]
        own = [each for each in file.transfers if each.source_id == attempt.stripe_intent_id]
        yield IntentMoney(
            intent_id=attempt.stripe_intent_id,
            payment=_name(payment),
            charged_minor=_posted(own, "payment_intent"),
            returned_minor=_posted(of_refunds, "refund") - _posted(of_refunds, "refund_failure"),
            disputed_minor=_net(of_disputes, Account.DISPUTES) + _net(of_disputes, Account.DISPUTE_LOSSES),
        )


# --- The lines --------------------------------------------------------------------------------------------


def _sections(file: BookingFile, *, with_jobs: bool) -> tuple[Section, ...]:
    sections = [
        Section(name="quote", title=_("Quote"), lines=tuple(_of_quote(file.booking))),
        Section(name="payments", title=_("Payments"), lines=tuple(_of_payments(file))),
        Section(name="attempts", title=_("Attempts"), lines=tuple(_of_attempts(file))),
        Section(name="ledger", title=_("Ledger"), lines=tuple(_of_transfers(file))),
        Section(name="refunds", title=_("Refunds"), lines=tuple(_of_refunds(file))),
        Section(name="disputes", title=_("Disputes"), lines=tuple(_of_disputes(file))),
        Section(name="emails", title=_("E-mails"), lines=tuple(_of_emails(file))),
    ]
    if with_jobs:
        sections.append(Section(name="jobs", title=_("Jobs"), lines=tuple(_of_jobs(file))))
    return tuple(sections)


def _of_quote(booking: Booking) -> Iterator[Line]:
    quote = booking.quote
    nights = ngettext("%(count)d night", "%(count)d nights", quote.night_count) % {"count": quote.night_count}
    lines = (
        (nights, quote.lodging_minor),
        (_("discount"), -quote.discount_minor),
        (_("cleaning"), quote.cleaning_minor),
        (_("VAT"), quote.iva_minor),
        (_("state tax on lodging"), quote.lodging_tax_minor),
    )
    for words, amount_minor in lines:
        if amount_minor:
            yield Line(row=f"quote {quote.pk}", words=words, amount_minor=amount_minor)


def _of_payments(file: BookingFile) -> Iterator[Line]:
    for payment in file.payments:
        words = f"{capfirst(_name(payment))}: {payment.get_status_display()}"
        yield Line(
            row=f"payment {payment.pk}",
            words=f"{words} ({payment.reason})" if payment.reason else words,
            amount_minor=payment.amount_minor,
            at=payment.created_at,
        )


def _of_attempts(file: BookingFile) -> Iterator[Line]:
    for payment, attempt in _attempts(file):
        parts = (
            f"{_name(payment)} #{attempt.n}, {attempt.get_channel_display()}: {attempt.get_state_display()}",
            attempt.stripe_intent_id or "",
            attempt.decline_code,
            attempt.proof if attempt.state != AttemptState.SUCCEEDED else "",
        )
        yield Line(
            row=f"attempt {attempt.pk}",
            words=" · ".join(filter(None, parts)),
            amount_minor=attempt.amount_minor,
            at=attempt.updated_at,
        )


def _of_transfers(file: BookingFile) -> Iterator[Line]:
    for each in file.transfers:
        accounts = f"{each.get_credit_display()} → {each.get_debit_display()}"
        yield Line(
            row=f"transfer {each.pk}",
            words=f"{accounts} · {each.source_type} {each.source_id}",
            amount_minor=each.amount_minor,
            at=each.posted_at,
        )


def _of_refunds(file: BookingFile) -> Iterator[Line]:
    for _payment, attempt in _attempts(file):
        for refund in attempt.refunds.all():
            parts = (refund.get_state_display(), refund.reason, refund.stripe_refund_id or "", refund.failure)
            yield Line(
                row=f"refund {refund.pk}",
                words=" · ".join(filter(None, parts)),
                amount_minor=refund.amount_minor,
                at=refund.updated_at,
            )


def _of_disputes(file: BookingFile) -> Iterator[Line]:
    for dispute in file.disputes:
        yield Line(
            row=f"dispute {dispute.pk}",
            words=f"{dispute.get_status_display()} · {dispute.stripe_dispute_id}",
            amount_minor=dispute.amount_minor,
            at=dispute.updated_at,
        )


def _of_emails(file: BookingFile) -> Iterator[Line]:
    for email in file.emails:
        fate = _("sent") if email.sent_at else _("dropped") if email.dropped_at else _("not sent yet")
        yield Line(
            row=f"email {email.pk}",
            words=f"{email.get_kind_display()}: {fate}",
            at=email.sent_at or email.dropped_at or email.created_at,
        )


def _of_jobs(file: BookingFile) -> Iterator[Line]:
    for job in read_jobs(file):
        words = " · ".join(filter(None, (job.sentence, job.state, job.why)))
        yield Line(row=f"job {job.id}", words=words, at=job.at)


def _attempts(file: BookingFile) -> Iterator[tuple[Payment, PaymentAttempt]]:
    return ((payment, attempt) for payment in file.payments for attempt in payment.attempts.all())
