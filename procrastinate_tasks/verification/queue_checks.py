"""Whether the queue is set up: database, migrations, settings, tasks, schedule, connections, a worker."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta

from django.apps import apps
from django.core import checks
from django.db import DatabaseError, connections
from django.db.backends.base.base import BaseDatabaseWrapper
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from procrastinate.contrib.django.settings import settings as procrastinate_settings

from procrastinate_tasks.conf import queue_settings
from procrastinate_tasks.database import are_connections_taken
from procrastinate_tasks.exceptions import InvalidTaskArguments
from procrastinate_tasks.jobs.deferring import encode_arguments
from procrastinate_tasks.monitoring.health import has_unapplied_migrations
from procrastinate_tasks.queries.queues import list_tasks
from procrastinate_tasks.queries.system import read_connection_use
from procrastinate_tasks.queries.workers import list_workers
from procrastinate_tasks.schedule.state import list_schedule
from procrastinate_tasks.verification.probe import send_through_a_worker
from procrastinate_tasks.verification.verdicts import Check, Verdict, fail, ok, skip, warn

# What a worker holds beside the connections of its jobs: claims, records, heartbeat, upkeep.
_OF_A_WORKER = 5
# During a restart old and new processes run side by side, with a release phase and somebody's console.
_BESIDE_A_RESTART = 2

# One that somebody builds just now is not among them.
_UNUSABLE_INDEXES = """
SELECT quote_ident(space.nspname) || '.' || quote_ident(class.relname)
FROM pg_index
JOIN pg_class AS class ON class.oid = pg_index.indexrelid
JOIN pg_namespace AS space ON space.oid = class.relnamespace
WHERE NOT pg_index.indisvalid
  AND pg_index.indrelid IN (SELECT to_regclass(quote_ident(name)) FROM unnest(%s::text[]) AS name)
  AND NOT EXISTS (SELECT FROM pg_stat_progress_create_index AS build WHERE build.index_relid = class.oid)
ORDER BY 1
"""

_SAYS_MORE = "manage.py check --deploy"


@dataclass(frozen=True, slots=True, kw_only=True)
class Expected:
    """What a project needs.

    ``web_connections`` are those of all web processes together; ``apps`` are those whose models are read.
    """

    postgres: int
    extensions: Sequence[str] = ()
    tasks: Collection[str] = ()
    schedules: Collection[str] = ()
    apps: Sequence[str] = ()
    web_connections: int = 0
    job_within: timedelta = timedelta(seconds=15)


def queue_checks(expected: Expected) -> tuple[Check, ...]:
    """Return the checks in the order in which a fault of one explains those of the next."""
    return (
        Check(
            name="database",
            title=gettext_lazy("Database"),
            run=lambda: check_database(expected.postgres),
            needs_database=False,
        ),
        Check(
            name="extensions",
            title=gettext_lazy("Extensions of PostgreSQL"),
            run=lambda: check_extensions(expected.extensions),
        ),
        Check(name="migrations", title=gettext_lazy("Migrations"), run=check_migrations),
        Check(
            name="queue_settings",
            title=gettext_lazy("Settings of the queue"),
            run=check_queue_settings,
            needs_database=False,
        ),
        Check(
            name="tasks",
            title=gettext_lazy("Tasks"),
            run=lambda: check_tasks(expected.tasks),
            needs_database=False,
        ),
        Check(
            name="schedule", title=gettext_lazy("Schedule"), run=lambda: check_schedule(expected.schedules)
        ),
        Check(name="indexes", title=gettext_lazy("Indexes"), run=check_indexes),
        Check(name="models", title=gettext_lazy("Tables"), run=lambda: check_models(expected.apps)),
        Check(
            name="connections",
            title=gettext_lazy("Connection budget"),
            run=lambda: check_connections(expected.web_connections),
        ),
        Check(
            name="worker_job",
            title=gettext_lazy("A job through a worker"),
            run=lambda: send_through_a_worker(within=expected.job_within),
        ),
    )


def check_database(oldest: int) -> Verdict:
    try:
        with _connection().cursor() as cursor:
            cursor.execute("SHOW server_version")
            version: str = cursor.fetchone()[0]
    except DatabaseError as error:
        return fail(str(error).strip().partition("\n")[0], fix=_remedy_for(error))
    if int(version.partition(".")[0]) < oldest:
        return fail(
            _("The server is PostgreSQL %s.") % version,
            fix=_("Take version %d or newer.") % oldest,
        )
    return ok(_("PostgreSQL %s answers.") % version)


def _remedy_for(refusal: DatabaseError) -> str:
    if are_connections_taken(refusal):
        return _("All connections are taken: stop a process that holds some, or allow more of them.")
    return _("Look at DATABASE_URL, and whether the server runs and lets this machine in.")


def check_indexes() -> Verdict:
    names = ", ".join(find_unusable_indexes(_connection()))
    if names:
        return fail(
            _("Left unusable by an interrupted build: %s.") % names,
            fix=_("DROP INDEX CONCURRENTLY %s; and build it again.") % names,
        )
    return ok(_("Each can be used."))


def find_unusable_indexes(connection: BaseDatabaseWrapper) -> list[str]:
    """Return what an interrupted CREATE INDEX CONCURRENTLY left: written to, never read, and in the way."""
    with connection.cursor() as cursor:
        cursor.execute(_UNUSABLE_INDEXES, [connection.introspection.django_table_names()])
        return [name for (name,) in cursor.fetchall()]


def check_extensions(names: Sequence[str]) -> Verdict:
    with _connection().cursor() as cursor:
        cursor.execute("SELECT extname FROM pg_extension WHERE extname = ANY(%s)", [list(names)])
        missing = set(names) - {name for (name,) in cursor.fetchall()}
    if missing:
        return fail(
            _("Missing: %s.") % ", ".join(sorted(missing)),
            fix=_("The owner of the database runs: CREATE EXTENSION %s;") % ", ".join(sorted(missing)),
        )
    return ok(", ".join(names) or _("None is needed."))


def check_migrations() -> Verdict:
    if has_unapplied_migrations(_connection()):
        return fail(
            _("The database lacks migrations of this release."), fix=_("Apply them: manage.py migrate")
        )
    return ok(_("All are applied."))


def check_queue_settings() -> Verdict:
    return verdict_of_messages(checks.run_checks(tags=["procrastinate_tasks"]))


def verdict_of_messages(messages: Sequence[checks.CheckMessage]) -> Verdict:
    """Turn what Django's checks say into one verdict."""
    if not messages:
        return ok(_("All fit together."))
    sentence = " ".join(f"{message.msg} ({message.id})" for message in messages)
    hints = " ".join(dict.fromkeys(message.hint or _SAYS_MORE for message in messages))
    is_serious = any(message.is_serious() for message in messages)
    return fail(sentence, fix=hints) if is_serious else warn(sentence, fix=hints)


def check_tasks(names: Collection[str]) -> Verdict:
    registered = {task.name for task in list_tasks()}
    missing = sorted(set(names) - registered)
    if missing:
        return fail(
            _("Not registered: %s.") % ", ".join(missing),
            fix=_("Is their app in INSTALLED_APPS, and does its module tasks.py load?"),
        )
    return ok(_("%d are registered.") % len(registered))


def check_schedule(names: Collection[str]) -> Verdict:
    found = {item.name: item for item in list_schedule()}
    missing = sorted(set(names) - set(found))
    if missing:
        return fail(
            _("Not scheduled: %s.") % ", ".join(missing),
            fix=_("Write @periodic(cron=…) above their @task(…)."),
        )
    broken = [item for item in found.values() if item.problem]
    if broken:
        return fail(
            " ".join(f"{item.name}: {item.problem}" for item in broken),
            fix=_("Correct their @periodic(cron=…)."),
        )
    return ok(_("%d tasks are scheduled.") % len(found))


def check_models(labels: Sequence[str]) -> Verdict:
    """Read one row of each model; what the database says of the first that cannot be read is told."""
    count = 0
    for label in labels:
        for model in apps.get_app_config(label).get_models():
            model._default_manager.first()
            count += 1
    return ok(_("%d tables can be read.") % count)


def check_connections(web: int) -> Verdict:
    limit = queue_settings().connection_limit or read_connection_use().limit
    workers = [worker for worker in list_workers() if worker.is_alive]
    if not workers:
        return skip(_("No worker is alive to count its connections."))
    of_workers = sum(_OF_A_WORKER + (worker.capacity or 0) for worker in workers)
    steady, peak = web + of_workers, 2 * (web + of_workers) + _BESIDE_A_RESTART
    facts = {"web": web, "workers": of_workers, "steady": steady, "peak": peak, "limit": limit}
    sentence = (
        _(
            "Web %(web)d + workers %(workers)d = %(steady)d; in a restart up to %(peak)d;"
            " the limit is %(limit)d."
        )
        % facts
    )
    fix = _("Lower --concurrency or WEB_CONCURRENCY, or take a larger database plan.")
    if steady > limit:
        return fail(sentence, fix=fix)
    return warn(sentence, fix=fix) if peak > limit else ok(sentence)


def _connection() -> BaseDatabaseWrapper:
    return connections[procrastinate_settings.DATABASE_ALIAS]


def refuses(task_name: str, arguments: Mapping[str, object]) -> bool:
    """Tell whether no job could be deferred with these arguments; nothing is sent to the database."""
    try:
        encode_arguments(task_name, arguments)
    except InvalidTaskArguments:
        return True
    return False
