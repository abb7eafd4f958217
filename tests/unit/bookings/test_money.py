"""How money is written."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bookings.money import format_pesos


@pytest.mark.parametrize(
    ("amount_minor", "words"),
    [
        (0, "$0.00\u00a0MXN"),
        (5, "$0.05\u00a0MXN"),
        (123_450, "$1,234.50\u00a0MXN"),
        (100_000_000_01, "$100,000,000.01\u00a0MXN"),
        (-160_080, "−$1,600.80\u00a0MXN"),
        (-5, "−$0.05\u00a0MXN"),
    ],
)
def test_centavos_are_written_as_pesos(amount_minor, words):
    assert format_pesos(amount_minor) == words


@given(st.integers(-(10**15), 10**15))
def test_no_centavo_is_lost(amount_minor):
    digits = "".join(letter for letter in format_pesos(amount_minor) if letter.isdigit())

    assert int(digits) == abs(amount_minor)
