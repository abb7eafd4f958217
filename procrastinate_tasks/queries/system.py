"""What can be asked of the system: versions, clocks, migrations, connections and settings."""

from __future__ import annotations

import json
import platform
from dataclasses import dataclass, fields
from datetime import UTC, datetime, timedelta
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import django
from django.db import connections
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.recorder import MigrationRecorder
from procrastinate.contrib.django.settings import settings as procrastinate_settings

from procrastinate_tasks.conf import QueueSettings, django_name, queue_settings
from procrastinate_tasks.database import Question, ask, database_now, fetch_row, fetch_rows, statement
from procrastinate_tasks.models import Outcome

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
    database = database_now()
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


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectionUse:
    """How many database connections are open, of how many: by the limit that will be reached first."""

    used: int
    limit: int


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenTransaction:
    """A session's transaction, open since then; ``application`` is how the session calls itself."""

    pid: int
    application: str
    since: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """How far the queue has come.

    ``jobs_deferred`` and ``attempts_recorded`` count since the tables were made; a transaction that was
    rolled back may have used up numbers. ``ended_lately`` are the attempts of the last five minutes by
    outcome.
    """

    jobs_deferred: int
    attempts_recorded: int
    ended_lately: dict[str, int]


def read_connection_use() -> ConnectionUse:
    """Return the open connections beside the limit that is nearest, the plan's or the server's."""
    return ask(connection_use())


def connection_use() -> Question[ConnectionUse]:
    """Ask for the open connections beside the limit that is nearest."""
    return Question(
        sql=statement("queries/connection_use"),
        read=_read_connection_use,
        parameters={"plan_limit": queue_settings().connection_limit},
    )


def _read_connection_use(rows: list[dict[str, Any]]) -> ConnectionUse:
    (row,) = rows
    return ConnectionUse(**row)


def read_oldest_transaction() -> OpenTransaction | None:
    """Return the oldest transaction that keeps dead rows from being cleaned up, but for this session's."""
    return ask(OLDEST_TRANSACTION)


def _read_oldest(rows: list[dict[str, Any]]) -> OpenTransaction | None:
    return OpenTransaction(**rows[0]) if rows else None


OLDEST_TRANSACTION = Question(sql=statement("queries/oldest_transaction"), read=_read_oldest)


def read_progress() -> Progress:
    """Return what was deferred and what ended, without counting rows that are long finished."""
    row = fetch_row(statement("queries/progress_counts"), outcomes=[outcome.value for outcome in Outcome])
    ended = json.loads(row.pop("ended_lately"))
    return Progress(**row, ended_lately={outcome.value: ended.get(outcome.value, 0) for outcome in Outcome})


@dataclass(frozen=True, slots=True, kw_only=True)
class UnknownTaskInfo:
    """A task that no living worker knows: how many of its jobs could run and wait, and since when."""

    task_name: str
    jobs: int
    since: datetime
    known_by_release: str


def list_unknown_tasks() -> tuple[UnknownTaskInfo, ...]:
    """Return the tasks of ready jobs that no living worker knows, by name."""
    rows = fetch_rows(statement("queries/unknown_tasks"), orphaned_after=queue_settings().orphaned_after)
    return tuple(UnknownTaskInfo(**row) for row in rows)
