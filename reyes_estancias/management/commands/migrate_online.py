"""``manage.py migrate_online``: migrate while the old release serves, and never make its queue wait."""

from __future__ import annotations

import time
from typing import Any

import psycopg
from django.core.management.base import CommandError, CommandParser
from django.core.management.commands import migrate
from django.db import OperationalError, connections
from django.db.backends.base.base import BaseDatabaseWrapper

from procrastinate_tasks.verification.queue_checks import find_unusable_indexes

_PAUSE_SECONDS = 1.0


class Command(migrate.Command):
    help = (
        "Migrate beside running web and worker processes. A statement that has to wait for a lock gives up"
        " after --lock-timeout, since everybody else would queue up behind it, and is tried again. An index"
        " may take its time to be built; one that an earlier try left unusable is dropped first."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument(
            "--lock-timeout",
            type=float,
            default=2.0,
            metavar="SECONDS",
            help="the longest that a migration may make others wait (default: 2)",
        )
        parser.add_argument(
            "--patience",
            type=float,
            default=180.0,
            metavar="SECONDS",
            help="after this long no further try is made (default: 180)",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        connection = connections[options["database"]]
        with connection.cursor() as cursor:
            cursor.execute(f"SET lock_timeout = {int(options['lock_timeout'] * 1000)}")
            cursor.execute("SET statement_timeout = 0")  # the role's is meant for pages
        give_up_at = time.monotonic() + options["patience"]
        while not self._is_migrated(*args, **options):
            if time.monotonic() > give_up_at:
                raise CommandError(
                    "Another session holds a lock that a migration needs. Nothing was left half done, and the"
                    " old release goes on. Look for the oldest transaction in pg_stat_activity (a backup? a"
                    " forgotten psql?), end it or wait for it, and release again."
                )
            time.sleep(_PAUSE_SECONDS)

    def _is_migrated(self, *args: Any, **options: Any) -> bool:
        """Go on where the last try ended, and say whether nothing is left to do."""
        try:
            drop_half_built_indexes(connections[options["database"]])
            super().handle(*args, **options)
        except OperationalError as fault:
            if not isinstance(fault.__cause__, psycopg.errors.LockNotAvailable):
                raise
            self.stderr.write(f"A lock is taken: {fault.__cause__}".strip())
            return False
        return True


def drop_half_built_indexes(connection: BaseDatabaseWrapper) -> None:
    """Drop what an interrupted build left: a migration that is tried again would find the name taken."""
    for name in find_unusable_indexes(connection):
        with connection.cursor() as cursor:
            cursor.execute(f"DROP INDEX CONCURRENTLY IF EXISTS {name}")
