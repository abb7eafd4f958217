"""The e-mail URL in the words of two Djangos."""

from __future__ import annotations

import environ
import pytest

from reyes_estancias.email_settings import admin_settings, email_settings, is_email_sent

SMTP = "smtp+tls://user:secret@mail.example:587"


def test_up_to_django_6_0_the_url_becomes_the_email_settings():
    read = environ.Env.email_url_config(SMTP)

    settings = email_settings(read, has_mailers=False)
    assert (settings["EMAIL_HOST"], settings["EMAIL_TIMEOUT"]) == ("mail.example", 10)


def test_from_django_6_1_on_it_becomes_the_default_mailer():
    read = environ.Env.email_url_config(SMTP)

    assert email_settings(read, has_mailers=True) == {
        "MAILERS": {
            "default": {
                "BACKEND": "django.core.mail.backends.smtp.EmailBackend",
                "OPTIONS": {
                    "host": "mail.example",
                    "port": 587,
                    "username": "user",
                    "password": "secret",
                    "use_tls": True,
                    "timeout": 10,
                },
            }
        }
    }


def test_the_console_takes_no_options():
    read = environ.Env.email_url_config("consolemail://")

    assert email_settings(read, has_mailers=True) == {
        "MAILERS": {"default": {"BACKEND": "django.core.mail.backends.console.EmailBackend", "OPTIONS": {}}}
    }


@pytest.mark.parametrize(
    ("url", "is_sent"),
    [(SMTP, True), ("consolemail://", False), ("dummymail://", False), ("filemail:///tmp/mail", False)],
)
def test_printed_and_dropped_email_is_not_sent(url: str, is_sent: bool):
    assert is_email_sent(environ.Env.email_url_config(url)) is is_sent


def test_those_who_are_told_are_addresses_or_pairs():
    addresses = ["turno@example.com"]

    assert admin_settings(addresses, takes_addresses=True) == {"ADMINS": addresses}
    assert admin_settings(addresses, takes_addresses=False) == {"ADMINS": [("", "turno@example.com")]}
