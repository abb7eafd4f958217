"""Arguments, e-mail addresses and card numbers leave stored and logged text."""

from __future__ import annotations

import pytest
from django.conf import settings
from django.test import override_settings

from procrastinate_tasks.jobs.redaction import redact


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
        ("port 54320 of 5432", {"n": 5432}, "port 54320 of [n]"),
        ("port 15432, 5432.", {"n": 5432}, "port 15432, [n]."),
        ("ana@example.com", {"name": "ana"}, "[email]"),
        ("bad key sk_live_4eC39HqLyjWDarjtT1zdp7dc!", {}, "bad key [key]!"),
        ("sk_test_a rk_live_b whsec_c/d+e=", {}, "[key] [key] [key]"),
        ("ask_test_me", {}, "ask_test_me"),
        ("x" * 100 + "@example.com", {}, "[email]"),
    ],
)
def test_what_is_hidden(text: str, arguments: dict[str, object], shown: str):
    assert redact(text, arguments=arguments) == shown


def test_visible_arguments_stay():
    assert (
        redact("booking 48213", arguments={"booking_id": 48213}, visible=("booking_id",)) == "booking 48213"
    )


@pytest.mark.parametrize("length", [400, 5_000, 100_000])
def test_a_value_through_which_a_cut_goes_is_hidden_whole(length: int):
    secret = "".join(chr(0x4E00 + number % 20_000) for number in range(length))
    letters = set(secret)

    for place in range(0, 3_000, 37):
        text = "x" * place + secret + "y" * 3_000
        shown = redact(text, arguments={"token": secret}, longest=2_000)
        assert letters.isdisjoint(shown.replace("[token]", "")), place


@pytest.mark.parametrize(
    "hidden", ["ana.maria@example.com", "4242 4242 4242 4242", "sk_live_4eC39HqLyjWDarjt"]
)
def test_what_is_recognised_by_its_form_is_hidden_whole_at_a_cut(hidden: str):
    for place in range(900, 1_100, 7):
        for text in (" " * place + hidden + " " * 5_000, " " * 5_000 + hidden + " " * place):
            shown = redact(text, arguments={}, longest=2_000)
            assert not any(part in shown for part in ("ana", "example", "4242", "sk_", "4eC")), place


def test_a_short_text_is_left_as_it_is():
    assert redact("x" * 2_000, arguments={}, longest=2_000) == "x" * 2_000


@override_settings(
    SECRET_KEY="the-key-of-the-site",
    BANK={"token": "tok-en-of-the-bank", "hosts": ["bank.example"]},
    PROCRASTINATE_TASKS_SECRET_SETTINGS=("BANK", "NO_SUCH_SETTING"),
    PROCRASTINATE_TASKS_MONITORING_TOKEN="watch-this",
)
def test_the_projects_own_secrets_are_hidden():
    text = "the-key-of-the-site tok-en-of-the-bank bank.example watch-this"

    assert redact(text, arguments={}) == ("[SECRET_KEY] [BANK] [BANK] [PROCRASTINATE_TASKS_MONITORING_TOKEN]")


def test_a_databases_password_is_hidden(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(settings.DATABASES["default"], "PASSWORD", "pass-of-the-base")

    assert redact("no pass-of-the-base", arguments={}) == "no [password of default]"


def test_what_would_take_too_long_is_withheld_and_not_shown():
    many = [f"value {number}" for number in range(60_000)]

    assert "value 7" not in redact("value 7", arguments={"many": many})


def test_arguments_as_deep_as_json_can_be_are_looked_through():
    deep: object = "secret"
    for _ in range(50_000):
        deep = [deep]

    assert redact("a secret", arguments={"deep": deep}) == "a [deep]"
