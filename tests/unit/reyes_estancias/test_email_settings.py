"""The e-mail URL in the words of two Djangos."""

from __future__ import annotations

import environ

from reyes_estancias.email_settings import email_settings

SMTP = "smtp+tls://user:secret@mail.example:587"


def test_up_to_django_6_0_the_url_becomes_the_email_settings():
    read = environ.Env.email_url_config(SMTP)

    assert email_settings(read, has_mailers=False)["EMAIL_HOST"] == "mail.example"


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
                },
            }
        }
    }


def test_the_console_takes_no_options():
    read = environ.Env.email_url_config("consolemail://")

    assert email_settings(read, has_mailers=True) == {
        "MAILERS": {"default": {"BACKEND": "django.core.mail.backends.console.EmailBackend", "OPTIONS": {}}}
    }
