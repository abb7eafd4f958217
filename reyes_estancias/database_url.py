"""Reads ``DATABASE_URL`` as libpq does, and says in plain words what is wrong with it."""

from __future__ import annotations

import re

import psycopg
from django.core.exceptions import ImproperlyConfigured
from psycopg.conninfo import conninfo_to_dict

from procrastinate_tasks import CONNECTION_OPTIONS

EXAMPLE = "postgres://user:password@host:5432/name"

# libpq's own messages repeat parts of the URL, and with them the password: each is told again without.
COMPLAINTS = {
    "invalid percent-encoded token": "a % in it lacks its two hexadecimal digits (a plain % is written %25)",
    "forbidden value %00": "it contains %00",
    "invalid URI query parameter": "PostgreSQL does not know a parameter after its question mark",
    "missing key/value separator": "after its question mark it is not of the form name=value",
    "end of string reached when looking for matching": "its IPv6 address lacks the closing ]",
}


def parse_database_url(url: str) -> dict[str, object]:
    """Return the entry of Django's ``DATABASES`` that ``url`` describes.

    Percent-encoded socket directories (``postgres://user@%2Frun%2Fpostgresql/name``), several hosts
    (``host1:5432,host2:5432``) and every option of libpq (``?target_session_attrs=read-write``) work. Unless
    the URL says otherwise, a server that has vanished is noticed as soon as by a worker.

    Raises:
        ImproperlyConfigured: the URL cannot be used; the message tells why and never repeats any of it.
    Source: https://www.postgresql.org/docs/current/libpq-connect.html#LIBPQ-CONNSTRING-URIS
    """
    parameters = _read(url)
    if "dbname" not in parameters and "service" not in parameters:
        raise _malformed("it names no database")
    if "@" in str(parameters.get("dbname", "")):
        raise _malformed("there is an @ after its host (a / in a password is written %2F)")
    if not _are_ports(str(parameters.get("port", ""))):
        raise _malformed("its port is no number from 1 to 65535 (a / in a password is written %2F)")
    return {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": parameters.pop("dbname", ""),
        "USER": parameters.pop("user", ""),
        "PASSWORD": parameters.pop("password", ""),
        "HOST": parameters.pop("host", ""),
        "PORT": parameters.pop("port", ""),
        "OPTIONS": {**CONNECTION_OPTIONS, **parameters},
    }


def _read(url: str) -> dict[str, object]:
    if not url.startswith(("postgres://", "postgresql://")):
        raise _malformed("it does not start with postgres://")
    try:
        return dict(conninfo_to_dict(url))
    except psycopg.ProgrammingError as error:
        known = (complaint for beginning, complaint in COMPLAINTS.items() if str(error).startswith(beginning))
        # The cause is dropped on purpose: a traceback would print it.
        raise _malformed(next(known, "it is no URL")) from None


def _are_ports(ports: str) -> bool:
    return all(re.fullmatch(r"\d{1,5}", port) and 0 < int(port) < 65536 for port in ports.split(",") if port)


def _malformed(complaint: str) -> ImproperlyConfigured:
    return ImproperlyConfigured(f"DATABASE_URL cannot be used: {complaint}. It should look like {EXAMPLE}.")
