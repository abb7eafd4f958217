"""DATABASE_URL is read as libpq reads it, and never repeated in a complaint."""

from __future__ import annotations

import pytest
from django.core.exceptions import ImproperlyConfigured

from procrastinate_tasks.conf import CONNECTION_OPTIONS
from reyes_estancias.database_url import parse_database_url

SECRET = "s3cret"


def test_a_plain_url_fills_every_field():
    database = parse_database_url("postgresql://ana:s%40crets@db.internal:6432/estancias")

    assert database == {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": "estancias",
        "USER": "ana",
        "PASSWORD": "s@crets",
        "HOST": "db.internal",
        "PORT": "6432",
        "OPTIONS": CONNECTION_OPTIONS,
    }


def test_a_percent_encoded_host_is_a_socket_directory():
    assert parse_database_url("postgres://ana@%2Frun%2Fpostgresql/estancias")["HOST"] == "/run/postgresql"


def test_several_hosts_and_libpq_options_pass_through():
    database = parse_database_url(
        "postgres://ana@one:5432,two:5433/estancias?target_session_attrs=read-write"
    )

    assert (database["HOST"], database["PORT"]) == ("one,two", "5432,5433")
    assert database["OPTIONS"] == {**CONNECTION_OPTIONS, "target_session_attrs": "read-write"}


def test_a_server_that_vanished_is_noticed_unless_the_url_wants_more_patience():
    options = parse_database_url("postgres://ana@one/estancias?connect_timeout=30")["OPTIONS"]

    assert options == {**CONNECTION_OPTIONS, "connect_timeout": "30"}


def test_a_service_may_stand_in_for_the_database():
    database = parse_database_url("postgres:///?service=estancias")

    assert database["OPTIONS"] == {**CONNECTION_OPTIONS, "service": "estancias"}


@pytest.mark.parametrize(
    ("url", "complaint"),
    [
        (f"mysql://ana:{SECRET}@host/name", "does not start with postgres://"),
        (f"ana:{SECRET}@host/name", "does not start with postgres://"),
        (f"postgres://ana:{SECRET}@host", "names no database"),
        (f"postgres://ana:{SECRET}@host/", "names no database"),
        (f"postgres://ana:{SECRET}@host:port/name", "port is no number"),
        (f"postgres://ana:{SECRET}@host:0/name", "port is no number"),
        (f"postgres://ana:{SECRET}@host:65536/name", "port is no number"),
        (f"postgres://ana:12/{SECRET}@host/name", "an @ after its host"),
        (f"postgres://ana:x/{SECRET}", "port is no number"),
        (f"postgres://ana:{SECRET}%zz@host/name", "hexadecimal"),
        (f"postgres://ana:{SECRET}@host/name?pgbouncer=true", "parameter"),
        (f"postgres://ana:{SECRET}@host/name?sslmode", "name=value"),
        (f"postgres://ana:{SECRET}@[::1/name", "closing ]"),
        (f"postgres://ana:{SECRET}@host/na%00me", "%00"),
    ],
)
def test_a_malformed_url_is_refused_in_words_that_keep_the_password(url: str, complaint: str):
    with pytest.raises(ImproperlyConfigured) as refusal:
        parse_database_url(url)

    assert complaint in str(refusal.value)
    assert SECRET not in str(refusal.value)
    assert refusal.value.__cause__ is None
