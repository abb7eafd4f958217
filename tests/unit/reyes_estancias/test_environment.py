"""What cannot be read of the environment is told by its name, and never by its value."""

from __future__ import annotations

import traceback

import pytest
from django.core.exceptions import ImproperlyConfigured

from reyes_estancias.environment import Environment

env = Environment()


@pytest.mark.parametrize("value", ["Ture", "sí", "2x", "sk_live_in_the_wrong_place"])
def test_a_word_that_is_neither_yes_nor_no_is_refused(value: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("PRODUCTION", value)

    with pytest.raises(ImproperlyConfigured, match="PRODUCTION is neither True nor False") as refused:
        env.bool("PRODUCTION", default=False)
    assert value not in str(refused.value)


@pytest.mark.parametrize(
    ("value", "meant"), [("True", True), (" yes ", True), ("1", True), ("off", False), ("", False)]
)
def test_what_is_plainly_yes_or_no_is_read(value: str, meant: bool, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("PRODUCTION", value)

    assert env.bool("PRODUCTION", default=not meant) is meant


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ("abc", "not a whole number"),
        ("1.5", "not a whole number"),
        ("-1", "below 0"),
    ],
)
def test_a_number_that_cannot_be_one_is_refused(value: str, said: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("WEB_CONCURRENCY", value)

    with pytest.raises(ImproperlyConfigured, match=f"WEB_CONCURRENCY is {said}") as refused:
        env.int("WEB_CONCURRENCY", default=1)
    assert value not in "".join(traceback.format_exception(refused.value, limit=0))


def test_a_number_that_is_empty_is_not_set(monkeypatch: pytest.MonkeyPatch):
    """As the Procfile has it of WEB_CONCURRENCY."""
    monkeypatch.setenv("WEB_CONCURRENCY", " ")

    assert env.int("WEB_CONCURRENCY", default=2) == 2


@pytest.mark.parametrize(
    "address",
    [
        "smtp://ana:secret@[mail.example",
        "smtp://ana:secret/with-a-slash@mail.example",
        "smpt://ana:secret@mail.example",
    ],
)
def test_an_address_that_cannot_be_one_is_named_without_its_password(
    address: str, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("EMAIL_URL", address)

    with pytest.raises(ImproperlyConfigured, match=r"^EMAIL_URL cannot be read: write smtp") as refused:
        env.email_url("EMAIL_URL", default="consolemail://")
    assert "secret" not in "".join(traceback.format_exception(refused.value, limit=0))


def test_a_key_that_begins_with_a_dollar_sign_is_that_key(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("SECRET_KEY", "$k3y-as-django-makes-them")

    assert env.str("SECRET_KEY") == "$k3y-as-django-makes-them"


def test_blanks_around_a_value_are_not_of_it(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("STRIPE_SECRET_KEY", " sk_live_pasted\n")
    monkeypatch.setenv("STRIPE_WEBHOOK_SECRETS", "whsec_new, whsec_old, ")

    assert env.str("STRIPE_SECRET_KEY") == "sk_live_pasted"
    assert env.list("STRIPE_WEBHOOK_SECRETS") == ["whsec_new", "whsec_old"]


def test_what_has_to_be_set_may_not_be_empty(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("STRIPE_SECRET_KEY", " ")

    with pytest.raises(ImproperlyConfigured, match="STRIPE_SECRET_KEY is empty"):
        env.str("STRIPE_SECRET_KEY")
    assert env.str("STRIPE_SECRET_KEY", default="x") == ""


def test_a_choice_names_what_there_is(monkeypatch: pytest.MonkeyPatch):
    assert env.choice("LOG_FORMAT", "logfmt", "json") == "logfmt"
    monkeypatch.setenv("LOG_FORMAT", "xml")

    with pytest.raises(ImproperlyConfigured, match="LOG_FORMAT is none of these: logfmt, json"):
        env.choice("LOG_FORMAT", "logfmt", "json")
