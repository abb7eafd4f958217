"""The words of each e-mail to a guest, from its facts alone: one letter, then text and HTML of it.

A letter is written by a function and not by a template of its own: whatever a booking lacks is seen when it
is written, and the two forms cannot say different things.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from django.conf import settings
from django.template.loader import render_to_string
from django.utils import timezone, translation
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from bookings.money import format_pesos
from bookings.templatetags.lodging import clock, day, day_and_year, percent
from payments.email_facts import EmailFacts, take_facts
from payments.models import GuestEmail, Payment
from payments.policies import PaymentKind

Kind = GuestEmail.Kind


@dataclass(frozen=True, slots=True, kw_only=True)
class Letter:
    """An e-mail before it has a form.

    Attributes:
        rows: labels and values, as of a stay or a price.
        links: labels and addresses outside of the site, as of a map.
        button: what the link is called.
        notes: what stands below the link, smaller.
    """

    subject: str
    heading: str
    paragraphs: tuple[str, ...]
    rows: tuple[tuple[str, str], ...] = ()
    links: tuple[tuple[str, str], ...] = ()
    button: str
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class WrittenLetter:
    """A letter in both its forms."""

    subject: str
    text: str
    html: str


def read_facts(email: GuestEmail) -> EmailFacts:
    """Return the facts of an e-mail's cause; what an older release asked for has those of now."""
    if email.facts:
        return EmailFacts.from_json(email.facts)
    return take_facts(
        booking=email.booking,
        payment=email.payment,
        refund=email.refund,
        for_arrival=email.kind == Kind.ARRIVAL,
    )


def write_email(email: GuestEmail) -> WrittenLetter:
    """Write an e-mail that was asked for."""
    booking = email.booking
    return write_letter(
        kind=Kind(email.kind),
        facts=read_facts(email),
        link=email.base_url.rstrip("/") + booking.get_absolute_url(),
        language=booking.language,
    )


def write_letter(*, kind: GuestEmail.Kind, facts: EmailFacts, link: str, language: str) -> WrittenLetter:
    """Write an e-mail in a guest's language and by the clock of the home."""
    with translation.override(language), timezone.override(facts.tz):
        return render_letter(_LETTERS[kind](facts), name=facts.name, link=link)


def render_letter(letter: Letter, *, name: str, link: str) -> WrittenLetter:
    """Put a letter into both forms, in the language that is active."""
    context = {
        "letter": letter,
        "name": name,
        "link": link,
        "site": settings.SITE_BASE_URL,
        "company": settings.COMPANY,
    }
    return WrittenLetter(
        # A header is one line, whatever a name holds.
        subject=" ".join(letter.subject.split()),
        text=render_to_string("payments/email/letter.txt", context),
        html=render_to_string("payments/email/letter.html", context),
    )


def access_letter() -> Letter:
    """Write the letter with the link to all bookings of an address; it tells of none of them."""
    return Letter(
        subject=_("Your bookings at Reyes Estancias"),
        heading=_("See your bookings"),
        paragraphs=(
            _("Somebody, probably you, asked for a link to the bookings made with this address."),
            _("It can be used once, within half an hour."),
        ),
        button=_("See my bookings"),
        notes=(_("If it was not you, there is nothing to do: without this e-mail nobody gets in."),),
    )


def _hold(facts: EmailFacts) -> Letter:
    at = facts.hold_expires_at
    return Letter(
        subject=_("Held until %(time)s: %(home)s (%(folio)s)") % {**_named(facts), "time": _clock(at)},
        heading=_("These nights are yours until %(time)s") % {"time": _clock(at)},
        paragraphs=(
            _("Pay the deposit of %(amount)s before then and %(home)s is booked for you.")
            % {**_named(facts), "amount": format_pesos(facts.deposit_minor)},
            _("With this link you come back to your dates from any device. Nothing has been charged."),
        ),
        rows=(*_stay(facts), *_price(facts)),
        button=_("Go on with your booking"),
        notes=(
            _("If you do not pay, there is nothing to do: the dates are free for others afterwards."),
            _keep_the_link(),
        ),
    )


def _confirmed(facts: EmailFacts) -> Letter:
    return Letter(
        subject=_("Confirmed: %(home)s (%(folio)s)") % _named(facts),
        heading=_("Your booking is confirmed"),
        paragraphs=(
            _("Your booking %(folio)s at %(home)s, %(town)s, is confirmed.") % _named(facts),
            *_next_charge(facts),
        ),
        rows=(*_stay(facts), *_price(facts), (_("Deposit paid"), format_pesos(facts.deposit_minor))),
        button=_("See, move or cancel your booking"),
        notes=(_("The file that comes with this e-mail puts your stay in your calendar."), _keep_the_link()),
    )


def _changed(facts: EmailFacts) -> Letter:
    before = {"from": _day_and_year(facts.old_arrival_at), "until": _day_and_year(facts.old_departure_at)}
    return Letter(
        subject=_("Your new dates: %(home)s (%(folio)s)") % _named(facts),
        heading=_("Your stay has new dates"),
        paragraphs=(
            _("Your booking %(folio)s at %(home)s was changed.") % _named(facts),
            _("Before it was from %(from)s to %(until)s, for %(total)s.")
            % {**before, "total": format_pesos(facts.old_total_minor)},
            *_next_charge(facts),
        ),
        rows=(*_stay(facts), *_price(facts), (_("Paid so far"), format_pesos(facts.paid_minor))),
        button=_("See your booking"),
        notes=(
            _("If you did not ask for this, answer this e-mail at once."),
            _("The file that comes with this e-mail puts your stay in your calendar."),
        ),
    )


def _arrival(facts: EmailFacts) -> Letter:
    return Letter(
        subject=_("We expect you on %(day)s: %(home)s (%(folio)s)")
        % {**_named(facts), "day": _day(facts.arrival_at)},
        heading=_("Your stay is near"),
        paragraphs=(
            _("We expect you at %(home)s, %(town)s, on %(day)s from %(time)s.")
            % {**_named(facts), "day": _day(facts.arrival_at), "time": _clock(facts.arrival_at)},
            *_next_charge(facts),
            *_how_to_get_in(facts),
        ),
        rows=(*_stay(facts), *_where(facts)),
        links=((_("See it on a map"), facts.map_url),) if facts.map_url else (),
        button=_("See your booking"),
        notes=(_("If you will arrive late at night, or need anything, answer this e-mail."),),
    )


def _receipt(facts: EmailFacts) -> Letter:
    about = {**_named(facts), "kind": _payment_kind(facts), "amount": format_pesos(facts.amount_minor)}
    return Letter(
        subject=_("We received %(amount)s (%(folio)s)") % about,
        heading=_("We received your payment"),
        paragraphs=(
            _("We received the %(kind)s of your booking %(folio)s at %(home)s: %(amount)s. Thank you.")
            % about,
        ),
        rows=(
            (_("Total of the stay"), format_pesos(facts.total_minor)),
            (_("Paid so far"), format_pesos(facts.paid_minor)),
        ),
        button=_("See your booking and its payments"),
    )


def _balance_soon(facts: EmailFacts) -> Letter:
    about = {
        **_named(facts),
        "day": _day(facts.balance_due_at),
        "amount": format_pesos(facts.amount_minor),
    }
    return Letter(
        subject=_("On %(day)s we charge %(amount)s to your card (%(folio)s)") % about,
        heading=_("Your balance falls due"),
        paragraphs=(
            _(
                "On %(day)s we charge the balance of your booking %(folio)s at %(home)s to the card with "
                "which you paid the deposit: %(amount)s."
            )
            % about,
            _("There is nothing to do, if the card has the funds."),
        ),
        button=_("See your booking and its payments"),
    )


def _payment_link(facts: EmailFacts) -> Letter:
    about = {**_named(facts), "kind": _payment_kind(facts), "amount": format_pesos(facts.amount_minor)}
    at = facts.next_try_at
    next_try = _("If you do not pay before, we ask your card again on %(day)s at %(time)s.")
    return Letter(
        subject=_("A payment of %(amount)s needs you (%(folio)s)") % about,
        heading=_("A payment needs you"),
        paragraphs=(
            _(
                "Your bank did not let us charge the %(kind)s of your booking %(folio)s at %(home)s: "
                "%(amount)s. It may want you to approve the payment yourself, or the card may have no funds."
            )
            % about,
            _("Pay it on a secure page, with this card or another."),
            *((next_try % {"day": _day(at), "time": _clock(at)},) if at else ()),
        ),
        button=_("Pay %(amount)s") % about,
        notes=(_("If you have paid already, there is nothing to do: you cannot be charged twice."),),
    )


def _cancelled(facts: EmailFacts) -> Letter:
    stay = {"from": _day_and_year(facts.arrival_at), "until": _day_and_year(facts.departure_at)}
    sums = (
        (_("You paid"), facts.paid_minor),
        (_("We return to your card"), facts.back_minor),
        (_("We charge to your card, as cancellation fee"), facts.fee_minor),
    )
    when = _("Banks take 5 to 10 working days to show a refund.")
    return Letter(
        subject=_("Cancelled: %(home)s (%(folio)s)") % _named(facts),
        heading=_("Your booking is cancelled"),
        paragraphs=(
            _("Your booking %(folio)s at %(home)s, from %(from)s to %(until)s, is cancelled.")
            % {**_named(facts), **stay},
            *(() if facts.paid_minor else (_("Nothing was charged."),)),
            *((when,) if facts.back_minor else ()),
        ),
        rows=tuple((label, format_pesos(sum_minor)) for label, sum_minor in sums if sum_minor),
        button=_("See the details"),
    )


def _refund_sent(facts: EmailFacts) -> Letter:
    about = {**_named(facts), "amount": format_pesos(facts.amount_minor)}
    return Letter(
        subject=_("We have refunded %(amount)s (%(folio)s)") % about,
        heading=_("Your refund is on its way"),
        paragraphs=(
            _("We have sent %(amount)s of your booking %(folio)s at %(home)s back to your card.") % about,
            _("Banks take 5 to 10 working days to show a refund."),
        ),
        button=_("See your booking and its payments"),
    )


def _refund_failed(facts: EmailFacts) -> Letter:
    about = {**_named(facts), "amount": format_pesos(facts.amount_minor)}
    return Letter(
        subject=_("Your refund of %(amount)s came back to us (%(folio)s)") % about,
        heading=_("Your refund came back to us"),
        paragraphs=(
            _(
                "We refunded %(amount)s of your booking %(folio)s at %(home)s to your card, but your bank "
                "has sent the money back to us. It is still yours: we are looking into it and will pay it "
                "again."
            )
            % about,
            _("If that card is closed or was replaced, answer this e-mail and tell us so."),
        ),
        button=_("See your booking and its payments"),
    )


_LETTERS: dict[GuestEmail.Kind, Callable[[EmailFacts], Letter]] = {
    Kind.HOLD: _hold,
    Kind.CONFIRMED: _confirmed,
    Kind.CHANGED: _changed,
    Kind.ARRIVAL: _arrival,
    Kind.RECEIPT: _receipt,
    Kind.BALANCE_SOON: _balance_soon,
    Kind.PAYMENT_LINK: _payment_link,
    Kind.CANCELLED: _cancelled,
    Kind.REFUND_SENT: _refund_sent,
    Kind.REFUND_FAILED: _refund_failed,
}


# --- Parts of letters -------------------------------------------------------------------------------------


def _named(facts: EmailFacts) -> dict[str, str]:
    return {"home": facts.home, "town": facts.town, "folio": facts.folio}


def _stay(facts: EmailFacts) -> tuple[tuple[str, str], ...]:
    return (
        (_("Check-in"), f"{_day_and_year(facts.arrival_at)}, {_clock(facts.arrival_at)}"),
        (_("Check-out"), f"{_day_and_year(facts.departure_at)}, {_clock(facts.departure_at)}"),
        (_("Guests"), str(facts.guests)),
    )


def _how_to_get_in(facts: EmailFacts) -> tuple[str, ...]:
    lines = [line.strip() for line in facts.instructions.splitlines() if line.strip()]
    return (_("How to get in:"), *lines) if lines else ()


def _where(facts: EmailFacts) -> tuple[tuple[str, str], ...]:
    host = ", ".join(filter(None, (facts.host_name, facts.host_phone)))
    rows = ((_("Address"), facts.address), (_("Your host"), host))
    return tuple((label, value) for label, value in rows if value)


def _price(facts: EmailFacts) -> tuple[tuple[str, str], ...]:
    nights = ngettext("%(nights)s night × %(rate)s", "%(nights)s nights × %(rate)s", facts.nights)
    lines = (
        (
            nights % {"nights": facts.nights, "rate": format_pesos(facts.rate_minor)},
            facts.lodging_minor,
        ),
        (_("Discount for a long stay"), -facts.discount_minor),
        (_("Cleaning"), facts.cleaning_minor),
        (_("VAT (%(tax)s %%)") % {"tax": percent(facts.tax_bps)}, facts.tax_minor - facts.lodging_tax_minor),
        (
            _("State tax on lodging (%(tax)s %%)") % {"tax": percent(facts.lodging_tax_bps)},
            facts.lodging_tax_minor,
        ),
    )
    total = _("%(total)s (taxes included)") % {"total": format_pesos(facts.total_minor)}
    return (*((label, format_pesos(minor)) for label, minor in lines if minor), (_("Total"), total))


def _next_charge(facts: EmailFacts) -> tuple[str, ...]:
    if not facts.balance_minor:
        return ()
    words = _("On %(day)s we charge the balance, %(amount)s, to the same card.")
    return (words % {"day": _day(facts.balance_due_at), "amount": format_pesos(facts.balance_minor)},)


def _payment_kind(facts: EmailFacts) -> str:
    return str(Payment.KINDS[PaymentKind(facts.payment_kind)]) if facts.payment_kind else ""


def _keep_the_link() -> str:
    return _("Keep this link to yourself: whoever has it can change the booking.")


def _day(at: datetime | None) -> str:
    return day(at) if at else ""


def _day_and_year(at: datetime | None) -> str:
    return day_and_year(at) if at else ""


def _clock(at: datetime | None) -> str:
    return clock(at) if at else ""
