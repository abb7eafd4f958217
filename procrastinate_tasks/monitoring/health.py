"""Whether the queue does its work, and whether this process can do its own."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta

from django.db import connections
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.migrations.executor import MigrationExecutor
from django.utils.translation import gettext as _
from procrastinate.contrib.django.settings import settings as procrastinate_settings

from procrastinate_tasks.conf import queue_settings
from procrastinate_tasks.database import DATABASE_FAULTS, are_connections_taken, is_table_locked
from procrastinate_tasks.monitoring.snapshot import Snapshot, take_snapshot

_LONGEST_WAIT = timedelta(minutes=5)
_PATIENCE_SECONDS = 2
_OWN_ALIAS = "procrastinate_tasks_readiness"
# What libpq calls the time without an answer after which a connection is dead, in milliseconds.
_SILENCE = {"connect_timeout": _PATIENCE_SECONDS, "tcp_user_timeout": 1000 * _PATIENCE_SECONDS}


@dataclass(frozen=True, slots=True, kw_only=True)
class HealthCheck:
    """One thing that is in order, or not; ``sentence`` says how it stands."""

    name: str
    is_ok: bool
    sentence: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Health:
    """What was looked at; healthy when all of it is in order."""

    checks: tuple[HealthCheck, ...]

    @property
    def is_healthy(self) -> bool:
        return all(check.is_ok for check in self.checks)


def check_health(*, queue: str | None = None, longest_wait: timedelta = _LONGEST_WAIT) -> Health:
    """Tell whether workers live, jobs are taken in time and the schedule runs.

    Args:
        queue: look at the waiting jobs of this queue only.
        longest_wait: how long a ready job may wait, unless its queue is paused.

    Raises:
        Error, ConnectorException: the database cannot be asked (``database.DATABASE_FAULTS``).
    """
    return judge(take_snapshot(), queue=queue, longest_wait=longest_wait)


def judge(snapshot: Snapshot, *, queue: str | None, longest_wait: timedelta) -> Health:
    """Say what a snapshot means."""
    return Health(
        checks=(
            _judge_workers(snapshot),
            _judge_connecting(snapshot),
            _judge_waiting(snapshot, queue=queue, longest_wait=longest_wait),
            _judge_orphans(snapshot),
            _judge_records(snapshot),
            _judge_claims(snapshot),
            _judge_schedule(snapshot),
            _tell_pauses(snapshot),
        )
    )


def _judge_workers(snapshot: Snapshot) -> HealthCheck:
    wanted = queue_settings().alert_thresholds.min_workers or 0
    alive = len(snapshot.living_workers)
    return HealthCheck(
        name="workers",
        is_ok=alive >= wanted,
        sentence=_("Living workers: %(alive)d; wanted: %(wanted)d") % {"alive": alive, "wanted": wanted},
    )


def _judge_connecting(snapshot: Snapshot) -> HealthCheck:
    """Look whether job processes reach the database; why not is shown to staff only, it may name hosts."""
    refused = sum(bool(worker.refusal) for worker in snapshot.living_workers)
    return HealthCheck(
        name="connecting",
        is_ok=refused == 0,
        sentence=_("Workers whose job processes cannot connect to the database: %d") % refused,
    )


def _judge_waiting(snapshot: Snapshot, *, queue: str | None, longest_wait: timedelta) -> HealthCheck:
    looked_at = [load for load in snapshot.queues if queue in (None, load.queue)]
    longest = max((load.oldest_wait for load in looked_at), default=timedelta(0))
    facts = {"waited": longest.total_seconds(), "allowed": longest_wait.total_seconds()}
    return HealthCheck(
        name="waiting",
        is_ok=longest <= longest_wait,
        sentence=_("Longest wait of a ready job: %(waited).0f s; allowed: %(allowed).0f s") % facts,
    )


def _judge_orphans(snapshot: Snapshot) -> HealthCheck:
    orphaned = sum(load.orphaned for load in snapshot.queues)
    return HealthCheck(
        name="orphaned", is_ok=orphaned == 0, sentence=_("Jobs whose worker is gone: %d") % orphaned
    )


def _judge_records(snapshot: Snapshot) -> HealthCheck:
    """Whether workers record what has ended; one of Procrastinate's own does not say."""
    allowed = queue_settings().alert_thresholds.record_delay
    waits = (worker.unrecorded_for or timedelta(0) for worker in snapshot.living_workers)
    waited = max(waits, default=timedelta(0))
    return HealthCheck(
        name="records",
        is_ok=allowed is None or waited <= allowed,
        sentence=_("Longest wait of an ended job to be recorded: %(waited).0f s")
        % {"waited": waited.total_seconds()},
    )


def _judge_claims(snapshot: Snapshot) -> HealthCheck:
    allowed = queue_settings().alert_thresholds.claim_failure
    failing = sum(
        bool(allowed and worker.claims_fail_for and worker.claims_fail_for > allowed)
        for worker in snapshot.living_workers
    )
    return HealthCheck(
        name="claims", is_ok=failing == 0, sentence=_("Workers that cannot claim jobs: %d") % failing
    )


def _judge_schedule(snapshot: Snapshot) -> HealthCheck:
    allowed = queue_settings().alert_thresholds.schedule_overdue
    late = [
        item.name
        for item in snapshot.schedule
        if item.problem
        or (allowed and item.overdue_since and snapshot.taken_at - item.overdue_since > 2 * allowed)
    ]
    return HealthCheck(
        name="schedule",
        is_ok=not late,
        sentence=_("Tasks that did not start at their time: %s") % (", ".join(late) or "–"),
    )


def _tell_pauses(snapshot: Snapshot) -> HealthCheck:
    """Say what people hold back: no fault, but why work that waits is not counted as late."""
    names = [pause.name for pause in snapshot.pauses]
    sentence = (
        _("Paused by staff, so that its waiting jobs do not count: %s") % ", ".join(names)
        if names
        else _("Nothing is paused.")
    )
    return HealthCheck(name="paused", is_ok=True, sentence=sentence)


# --- Readiness --------------------------------------------------------------------------------------------


class Readiness:
    """Tells whether this process can serve: the database answers, can be written, has this code's tables.

    Each look takes a connection of its own for a moment, and none of a pool: the process's may hang.
    Migrations that were once applied are not looked for again.
    """

    def __init__(self) -> None:
        self._is_migrated = False

    def check(self) -> Health:
        """Look; takes a few seconds at most."""
        connection = connections[procrastinate_settings.DATABASE_ALIAS].copy(alias=_OWN_ALIAS)
        options = {**connection.settings_dict["OPTIONS"], **_SILENCE}
        options.pop("pool", None)
        connection.settings_dict["OPTIONS"] = options
        connections[_OWN_ALIAS] = connection  # Django asks whatever has the alias for migrations
        try:
            return Health(checks=tuple(self._look(connection)))
        finally:
            del connections[_OWN_ALIAS]
            connection.close()

    def _look(self, connection: BaseDatabaseWrapper) -> Iterator[HealthCheck]:
        try:
            is_writable = _begin(connection)
            self._is_migrated = self._is_migrated or not has_unapplied_migrations(connection)
        except DATABASE_FAULTS as fault:
            yield judge_fault(fault)
            return
        yield HealthCheck(
            name="database",
            is_ok=is_writable,
            sentence=_("The database answers.")
            if is_writable
            else _("The database can only be read: a standby, or set to be read only."),
        )
        yield HealthCheck(
            name="migrations",
            is_ok=self._is_migrated,
            sentence=_("All migrations are applied.")
            if self._is_migrated
            else _("Migrations are missing: manage.py migrate"),
        )


def judge_fault(fault: BaseException) -> HealthCheck:
    """Say that the database cannot be asked; its words may name hosts and users, and anybody sees this."""
    if are_connections_taken(fault):
        sentence = _("All connections to the database are taken.")
    elif is_table_locked(fault):
        sentence = _("A table of the queue is locked: somebody rebuilds or alters it.")
    else:
        sentence = _("The database does not answer.")
    return HealthCheck(name="database", is_ok=False, sentence=sentence)


def _begin(connection: BaseDatabaseWrapper) -> bool:
    """Begin a transaction in which no statement waits for long, and return whether it may write."""
    connection.set_autocommit(False)
    with connection.cursor() as cursor:
        cursor.execute(f"SET LOCAL statement_timeout = {1000 * _PATIENCE_SECONDS}")
        cursor.execute("SHOW transaction_read_only")
        return bool(cursor.fetchone() == ("off",))


def has_unapplied_migrations(connection: BaseDatabaseWrapper) -> bool:
    executor = MigrationExecutor(connection)
    return bool(executor.migration_plan(executor.loader.graph.leaf_nodes()))
