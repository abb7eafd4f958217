"""Where e-mail goes, in the words of the Django that runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

# What environ reads from an e-mail URL, and the option of a mail backend it stands for.
_OPTIONS = {
    "EMAIL_HOST": "host",
    "EMAIL_PORT": "port",
    "EMAIL_HOST_USER": "username",
    "EMAIL_HOST_PASSWORD": "password",
    "EMAIL_USE_TLS": "use_tls",
    "EMAIL_USE_SSL": "use_ssl",
}
_SMTP = "django.core.mail.backends.smtp.EmailBackend"
_TIMEOUT_SECONDS = 10
# Where e-mail goes that nobody gets: for development and tests.
_STAYING_HERE = tuple(
    f"django.core.mail.backends.{name}.EmailBackend" for name in ("console", "dummy", "filebased", "locmem")
)


def admin_settings(addresses: Sequence[str], *, takes_addresses: bool) -> dict[str, object]:
    """Return the setting for those who are told when something is wrong.

    Args:
        takes_addresses: whether ``ADMINS`` holds addresses (from Django 6.0 on) or pairs of name and address.
    """
    return {"ADMINS": list(addresses) if takes_addresses else [("", address) for address in addresses]}


def is_email_sent(read: Mapping[str, object]) -> bool:
    """Return whether anybody gets the e-mail of an e-mail URL, as ``environ.Env.email_url`` read it."""
    return read["EMAIL_BACKEND"] not in _STAYING_HERE


def email_settings(read: Mapping[str, object], *, has_mailers: bool) -> dict[str, object]:
    """Return the settings for an e-mail URL; a mail server that does not answer is given up after a while.

    Args:
        read: what ``environ.Env.email_url`` returned: Django's settings up to 6.0.
        has_mailers: whether Django knows ``MAILERS`` (from 6.1 on), which then takes their place.
    """
    if not has_mailers:
        return {**read, "EMAIL_TIMEOUT": _TIMEOUT_SECONDS}
    backend = read["EMAIL_BACKEND"]
    options: dict[str, object] = {}
    if backend == _SMTP:
        given = {option: read.get(name) for name, option in _OPTIONS.items()}
        options = {option: value for option, value in given.items() if value}
        options["timeout"] = _TIMEOUT_SECONDS
    return {"MAILERS": {"default": {"BACKEND": backend, "OPTIONS": options}}}
