"""How the site writes money and days, and which picture stands for a home."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, datetime, time
from functools import lru_cache
from typing import NamedTuple
from urllib.parse import urlencode
from uuid import UUID

from django import template
from django.db.models import Model
from django.template.loader import render_to_string
from django.templatetags.static import static
from django.urls import reverse
from django.utils import formats, timezone
from django.utils.html import escape
from django.utils.safestring import SafeString
from django.utils.translation import get_language, gettext, ngettext, pgettext
from django.utils.translation import gettext_lazy as _

from bookings.availability import Day, DayState, Month, Stay
from bookings.models import Property, PropertyPhoto
from bookings.money import NO_BREAK, format_pesos
from bookings.quotes import Listing

register = template.Library()

PICTURES = ("desierto", "pueblo", "costa", "sierra", "selva", "ciudad", "laguna")

_WHY = {
    DayState.PAST: _("past"),
    DayState.FREE: _("free"),
    DayState.DEPARTURE_ONLY: _("departure only: the night is taken"),
    DayState.TAKEN: _("taken"),
    DayState.SHUT: _("closed by the house"),
    DayState.TOO_FAR: _("not open yet: more than two years away"),
}

register.filter("pesos", format_pesos)


@register.filter
def percent(bps: int) -> str:
    """Return hundredths of a percent as a percentage without needless zeros: ``1600`` is ``16``."""
    return f"{bps / 100:g}"


@register.filter
def day(value: date) -> str:
    """Return a date with its weekday and without the year, as people say it."""
    return _write(value, pgettext("format of a date, see Django's date filter", "l, F j"))


@register.filter
def day_and_year(value: date) -> str:
    return _write(value, pgettext("format of a date, see Django's date filter", "l, F j, Y"))


@register.filter
def short_day(value: date) -> str:
    return _write(value, pgettext("format of a date, see Django's date filter", "D, M j"))


@register.filter
def month_and_year(value: date) -> str:
    return _write(value, "YEAR_MONTH_FORMAT")


@register.filter
def month_name(value: date) -> str:
    return _write(value, "F")


@register.filter
def clock(value: datetime | time) -> str:
    written = _write(value, pgettext("format of a time, see Django's date filter", "g:i A"))
    return written.replace(" ", NO_BREAK)


@register.filter
def query(stay: Stay | None) -> str:
    """Return a stay as the query of an address, empty without a stay."""
    if stay is None:
        return ""
    return "?" + urlencode({"check_in": stay.check_in, "check_out": stay.check_out, "guests": stay.guests})


@register.filter
def facts(value: Model | Iterable[Model]) -> str:
    """Return all that rows hold, as the key of a part of a page: whoever changes a row changes the key."""
    rows = [value] if isinstance(value, Model) else value
    return repr([[getattr(row, each.attname) for each in row._meta.concrete_fields] for row in rows])


class HomeCard(NamedTuple):
    """All that a card of the list of homes is drawn from."""

    slug: str
    town: str
    name: str
    capacity: int
    min_nights: int
    nightly_rate_minor: int
    home_id: int
    photo_id: UUID | None
    total_minor: int | None
    is_refused: bool
    words: str
    language: str | None


@register.filter
def cards(listings: Iterable[Listing], stay: Stay | None) -> SafeString:
    """Return the cards of homes, with links that keep the stay that was asked for."""
    asked, language = escape(query(stay)), get_language()
    drawn = (_draw_card(_card_of(listing, language)) for listing in listings)
    return SafeString("".join(f"{opening}{asked}{rest}" for opening, rest in drawn))


def _card_of(listing: Listing, language: str | None) -> HomeCard:
    home = listing.home
    return HomeCard(
        slug=home.slug,
        town=home.town,
        name=home.name,
        capacity=home.capacity,
        min_nights=home.min_nights,
        nightly_rate_minor=home.nightly_rate_minor,
        home_id=home.pk,
        photo_id=listing.photo_id,
        total_minor=listing.price.total_minor if listing.price else None,
        is_refused=listing.refusal is not None,
        words=listing.words,
        language=language,
    )


@lru_cache(maxsize=4_000)
def _draw_card(card: HomeCard) -> tuple[str, str]:
    """Draw a card, once for all that it shows: up to its address, and from there on."""
    refused = " home-refused" if card.is_refused else ""
    address = reverse("property", args=[card.slug])
    opening = f'<li class="card home{refused}"><a class="home-link" href="{escape(address)}'
    context = {**card._asdict(), "picture": _picture(card.home_id, card.photo_id)}
    return opening, f'">{render_to_string("bookings/_home_card.html", context)}'


@register.simple_tag
def calendar_weeks(month: Month, home: Property) -> SafeString:
    """Return the rows of a month. Sixty days as nodes of a template cost more than the rest of the page."""
    words = _words(home.min_nights, get_language())
    stayed = f", {escape(gettext('your stay'))}"
    rows = ("".join(_cell(day, words, stayed) for day in week) for week in month.weeks)
    return SafeString("\n".join(f"<tr>{row}</tr>" for row in rows))


def _cell(day: Day | None, words: dict[DayState, SafeString], stayed: str) -> str:
    if day is None:
        return "<td></td>"
    why, state = words[day.state], day.state
    chosen, also = (" day-chosen", stayed) if day.chosen else ("", "")
    return (
        f'<td class="day day-{state}{chosen}" title="{why}" data-day="{day.date}" data-state="{state}">'
        f'<span class="number">{day.date.day}</span><span class="sr">, {why}{also}</span></td>'
    )


@lru_cache(maxsize=200)
def _words(min_nights: int, language: str | None) -> dict[DayState, SafeString]:
    return {state: escape(_why(state, min_nights)) for state in DayState}


def _why(state: DayState, min_nights: int) -> str:
    """Return what a guest can do on a day of the calendar, and why no more."""
    if state == DayState.NO_ARRIVAL:
        return ngettext(
            "no arrival: less than %(nights)d night until the next stay",
            "no arrival: less than %(nights)d nights until the next stay",
            min_nights,
        ) % {"nights": min_nights}
    return str(_WHY[state])


@register.filter
def photo(value: PropertyPhoto, width: int) -> str:
    """Return the address of a photo at a width."""
    return value.address(width)


@register.simple_tag
def home_picture(home: Property, photo_id: UUID | None) -> str:
    """Return the address of the picture that stands for a home: its first photo, small, or a drawing."""
    return _picture(home.pk, photo_id)


def _picture(home_id: int, photo_id: UUID | None) -> str:
    if photo_id is not None:
        return reverse("photo", args=[photo_id, 480])
    return static(f"reyes_estancias/homes/{PICTURES[home_id % len(PICTURES)]}.svg")


def _write(value: date | time, format_string: str) -> str:
    # Without its zone: instants are equal that two clocks show as different hours.
    local = timezone.localtime(value).replace(tzinfo=None) if isinstance(value, datetime) else value
    return _written(local, format_string, get_language())


@lru_cache(maxsize=4_000)
def _written(local: date | time, format_string: str, language: str | None) -> str:
    """Write a day or an hour, once for all pages that tell of it."""
    return formats.date_format(local, format_string)  # type: ignore[arg-type]  # The hour of a day, too.
