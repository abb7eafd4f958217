"""Arguments, e-mail addresses and card numbers leave stored and logged text."""

from __future__ import annotations

import pytest

from procrastinate_tasks.redaction import redact


@pytest.mark.parametrize(
    ("text", "arguments", "shown"),
    [
        ("no reply from ana", {"name": "ana"}, "no reply from [name]"),
        ("user 48213 is gone", {"user_id": 48213}, "user [user_id] is gone"),
        ("room 7 is gone", {"room": 7}, "room 7 is gone"),
        ("deep secret", {"outer": {"inner": ["secret"]}}, "deep [outer]"),
        ("secret-longer", {"a": "secret", "b": "secret-longer"}, "[b]"),
        ("write to ana.maria@example.com.mx now", {}, "write to [email] now"),
        ("card 4242 4242 4242 4242 declined", {}, "card [number] declined"),
        ("flag True", {"flag": True}, "flag True"),
    ],
)
def test_what_is_hidden(text: str, arguments: dict[str, object], shown: str):
    assert redact(text, arguments=arguments) == shown


def test_visible_arguments_stay():
    assert (
        redact("booking 48213", arguments={"booking_id": 48213}, visible=("booking_id",)) == "booking 48213"
    )
