"""The system page's questions: versions, clocks, migrations and settings."""

from __future__ import annotations

import platform
from dataclasses import dataclass, fields
from datetime import UTC, datetime, timedelta
from importlib.metadata import PackageNotFoundError, version

import django
from django.db import connections
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.recorder import MigrationRecorder
from procrastinate.contrib.django.settings import settings as procrastinate_settings

from procrastinate_tasks import queries
from procrastinate_tasks.conf import QueueSettings, django_name, queue_settings

_PACKAGES = ("procrastinate", "psycopg")
_SECRET_WORDS = ("token", "secret", "key", "password", "url")


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """A setting of the queue as it holds; one that may hold a secret tells only whether it is set."""

    name: str
    value: object
    is_default: bool
    is_hidden: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class ClockSkew:
    """How far the database's clock is ahead of this process's, give or take half the ``round_trip``."""

    now: datetime
    ahead: timedelta
    round_trip: timedelta

    @property
    def is_certain(self) -> bool:
        return abs(self.ahead) > self.round_trip


def read_versions() -> dict[str, str]:
    """Return the versions of what runs, by name."""
    connection = connections[procrastinate_settings.DATABASE_ALIAS]
    connection.ensure_connection()
    major, minor = divmod(connection.connection.info.server_version, 10_000)
    return {
        "Python": platform.python_version(),
        "Django": django.get_version(),
        **{name.capitalize(): _version_of(name) for name in _PACKAGES},
        "PostgreSQL": f"{major}.{minor}",
    }


def _version_of(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "–"


def list_unapplied_migrations() -> tuple[str, ...]:
    """Return the migrations of this process's code that the database has not seen, in one statement."""
    known = MigrationLoader(None).disk_migrations
    recorder = MigrationRecorder(connections[procrastinate_settings.DATABASE_ALIAS])
    applied = set(recorder.migration_qs.values_list("app", "name"))
    missing = (
        key
        for key, migration in known.items()
        if key not in applied and not (migration.replaces and applied.issuperset(migration.replaces))
    )
    return tuple(f"{app_label}.{name}" for app_label, name in sorted(missing))


def measure_clock_skew() -> ClockSkew:
    """Compare the database's clock with this process's, in one round trip."""
    before = datetime.now(UTC)
    database = queries.database_now()
    after = datetime.now(UTC)
    round_trip = after - before
    return ClockSkew(now=database, ahead=database - (before + round_trip / 2), round_trip=round_trip)


def list_settings() -> tuple[Setting, ...]:
    """Return the queue's settings in the order they are declared."""
    present, defaults = queue_settings(), QueueSettings()
    return tuple(
        _setting(field.name, getattr(present, field.name), getattr(defaults, field.name))
        for field in fields(QueueSettings)
    )


def _setting(name: str, value: object, default: object) -> Setting:
    is_hidden = any(word in name.split("_") for word in _SECRET_WORDS)
    return Setting(
        name=django_name(name),
        value=bool(value) if is_hidden else value,
        is_default=value == default,
        is_hidden=is_hidden,
    )
