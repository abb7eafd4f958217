"""The texts that guests agree to: the owner's newest version, or the one that came with the site."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from functools import cache
from pathlib import Path

from django.db import connection
from django.utils.translation import get_language

from bookings.models import Booking, Consent, LegalText

Kind = LegalText.Kind

_TEXTS = Path(__file__).with_name("legal_texts")
# The version of the texts that came with the site.
BUILT_IN = 0
# Asked for with every price, and so written as SQL.
_NEWEST = "SELECT kind, max(version) FROM bookings_legaltext GROUP BY kind"


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """A heading and what stands below it; the first may have no heading."""

    heading: str
    paragraphs: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ShownText:
    """A version of a text in the reader's language."""

    kind: LegalText.Kind
    version: int
    published_at: datetime | None
    sections: tuple[Section, ...]


def show_text(kind: LegalText.Kind, *, version: int | None = None) -> ShownText | None:
    """Return a version of a text, the newest by default; ``None`` when there is no such version."""
    texts = LegalText.objects.filter(kind=kind)
    text = texts.filter(version=version).first() if version is not None else texts.first()
    if text is not None:
        body = text.english if _is_english() else text.spanish
        return ShownText(
            kind=kind, version=text.version, published_at=text.published_at, sections=read_sections(body)
        )
    if version not in (None, BUILT_IN):
        return None
    sections = read_sections(built_in(kind, is_english=_is_english()))
    return ShownText(kind=kind, version=BUILT_IN, published_at=None, sections=sections)


def current_versions() -> str:
    """Return which terms and which privacy notice hold now, as a form carries them: ``3-2``."""
    with connection.cursor() as cursor:
        cursor.execute(_NEWEST)
        newest = dict(cursor.fetchall())
    return f"{newest.get(Kind.TERMS, BUILT_IN)}-{newest.get(Kind.PRIVACY, BUILT_IN)}"


def record_consent(*, booking: Booking, versions: str, now: datetime) -> None:
    """Write down what a guest has accepted; call it in the transaction of the hold."""
    terms, privacy = map(int, versions.split("-"))
    Consent.objects.create(booking=booking, terms_version=terms, privacy_version=privacy, accepted_at=now)


def read_sections(body: str) -> tuple[Section, ...]:
    """Split a text at its headings, the lines that begin with ``##``, and at empty lines."""
    sections = []
    for part in ("\n" + body.replace("\r\n", "\n")).split("\n## "):
        heading, _newline, rest = part.partition("\n")
        paragraphs = tuple(each.strip() for each in rest.split("\n\n") if each.strip())
        if heading.strip() or paragraphs:
            sections.append(Section(heading=heading.strip(), paragraphs=paragraphs))
    return tuple(sections)


@cache
def built_in(kind: str, *, is_english: bool) -> str:
    """Return the text that came with the site."""
    return (_TEXTS / f"{kind}.{'en' if is_english else 'es'}.txt").read_text()


def _is_english() -> bool:
    return (get_language() or "").startswith("en")
