"""IVA and the state's tax on lodging are two lines that add up, on the page, in the quote and in e-mails."""

from __future__ import annotations

from datetime import UTC, date, datetime

import pytest
from django.db import IntegrityError, transaction
from django.test import Client
from hypothesis import given
from hypothesis import strategies as st

from bookings.date_changes import price_change
from bookings.models import Property, Quote
from bookings.policies import price_stay
from payments.email_facts import EmailFacts
from payments.letters import _price
from tests.factories import make_hold, make_property
from tests.integration.pages import read

NOW = datetime(2026, 11, 2, 18, tzinfo=UTC)
AMOUNT = st.integers(min_value=0, max_value=10**8)
BPS = st.integers(min_value=0, max_value=10_000)

pytestmark = pytest.mark.django_db


@given(nights=st.integers(2, 40), rate=AMOUNT, cleaning=AMOUNT, iva=BPS, state=BPS)
def test_the_lines_add_up_to_the_centavo_and_no_rate_changes_nothing(nights, rate, cleaning, iva, state):
    stay = {"nights": nights, "nightly_rate_minor": rate, "cleaning_fee_minor": cleaning, "tax_bps": iva}

    price, without = price_stay(**stay, lodging_tax_bps=state), price_stay(**stay)

    assert price.iva_minor == without.tax_minor and without.lodging_tax_minor == 0
    assert price.total_minor == without.total_minor + price.lodging_tax_minor
    lines = price.lodging_minor - price.discount_minor + price.cleaning_minor
    assert price.total_minor == lines + price.iva_minor + price.lodging_tax_minor


def test_the_state_s_tax_is_on_the_nights_alone_and_a_line_of_its_own(client: Client):
    home = make_property(lodging_tax_bps=350)

    booking = make_hold(now=NOW, home=home, check_in=date(2026, 12, 1))
    page = read(client.get(booking.get_absolute_url()))
    offer = read(client.get(f"/casas/{home.slug}/?check_in=2027-12-10&check_out=2027-12-13&guests=2"))

    quote = booking.quote
    assert quote.lodging_tax_minor == 15_750  # 3.5 % of three nights at 1,500.00
    assert quote.iva_minor == 73_600
    assert quote.total_minor == 450_000 + 10_000 + 73_600 + 15_750
    for text in (page, offer):
        assert "IVA (16 %) $736.00 MXN" in text
        assert "Impuesto estatal sobre hospedaje (3.5 %) $157.50 MXN" in text


def test_a_change_of_dates_keeps_the_rate_that_was_agreed():
    home = make_property(lodging_tax_bps=350)
    booking = make_hold(now=NOW, home=home, check_in=date(2026, 12, 1))
    Property.objects.filter(pk=home.pk).update(lodging_tax_bps=900)

    price = price_change(booking=booking, check_in=date(2026, 12, 1), check_out=date(2026, 12, 5))

    assert price.lodging_tax_minor == 21_000


def test_e_mails_have_both_lines_and_those_stored_before_have_one():
    facts = {"tax_bps": 1_600, "tax_minor": 89_350, "total_minor": 549_350, "nights": 3}

    both = dict(_price(EmailFacts.from_json({**facts, "lodging_tax_bps": 350, "lodging_tax_minor": 15_750})))
    one = dict(_price(EmailFacts.from_json(facts)))

    assert both["IVA (16 %)"] == "$736.00\u00a0MXN"
    assert both["Impuesto estatal sobre hospedaje (3.5 %)"] == "$157.50\u00a0MXN"
    assert one["IVA (16 %)"] == "$893.50\u00a0MXN" and len(one) == 2


def test_the_state_s_tax_is_never_more_than_all_taxes():
    quote = make_hold(now=NOW).quote
    quote.pk = None
    quote.lodging_tax_minor = quote.tax_minor + 1

    with pytest.raises(IntegrityError, match="lodging_tax_is_part"), transaction.atomic():
        Quote.objects.bulk_create([quote])
