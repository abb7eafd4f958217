"""``manage.py seed_jobs``: fill the queue's tables for development, screenshots and benchmarks."""

from __future__ import annotations

import time
from argparse import ArgumentParser
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from procrastinate_tasks.queries.queues import read_status
from procrastinate_tasks.seeding import seeding
from procrastinate_tasks.seeding.seeding import Seeding

_BEAT_EVERY = timedelta(seconds=5)


class Command(BaseCommand):
    """Makes jobs in every state with their attempts and events, workers, schedules, a pause and a limit.

    Half of the jobs share ``--locks`` distinct locks. ``--clear`` removes what this command made and nothing
    else. A seeded job that waits is a job: a worker that is started runs it.
    """

    help = (
        "Fills the job queue with made-up jobs in every state, for development and benchmarks; removes them."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--count", type=int, default=10_000, help="how many jobs (default: %(default)s)")
        parser.add_argument("--seed", type=int, default=1, help="the same seed makes the same jobs")
        parser.add_argument("--locks", type=int, default=100_000, help="how many distinct locks")
        parser.add_argument("--days", type=int, default=30, help="how far back the oldest job goes")
        parser.add_argument("--clear", action="store_true", help="remove what was seeded before")
        parser.add_argument("--beat", action="store_true", help="keep the seeded workers alive until Ctrl-C")
        parser.add_argument(
            "--force", action="store_true", help="also with DEBUG off, or with a worker running"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        if not options["force"]:
            self._refuse_where_it_harms(removes_only=options["clear"])
        if options["clear"]:
            self._clear()
            return
        if options["count"] < 1:
            raise CommandError("--count has to be 1 or more.")
        if not (options["beat"] and seeding.has_seeded()):
            self._seed(options)
        if options["beat"]:
            self._beat()

    def _refuse_where_it_harms(self, *, removes_only: bool) -> None:
        if not settings.DEBUG:
            raise CommandError(
                "DEBUG is off, so this looks like production. Seeded jobs would stand among the real ones, "
                "in every count and chart, and those that wait would be run by the workers. "
                "Use a database of its own, or --force if this is one."
            )
        if not removes_only and not seeding.has_seeded() and any(w.is_alive for w in read_status().workers):
            raise CommandError(
                "A worker is running: it would run the seeded jobs that wait. Stop it first, or use --force."
            )

    def _seed(self, options: dict[str, Any]) -> None:
        if seeding.has_seeded():
            raise CommandError("Jobs were seeded before. Remove them first: manage.py seed_jobs --clear")
        wanted = Seeding(
            count=options["count"],
            seed=options["seed"],
            locks=options["locks"],
            span=timedelta(days=options["days"]),
        )
        self._follow("Seeded", seeding.seed(wanted))
        self.stdout.write("A worker that is started now runs the jobs that wait. To remove them all:")
        self.stdout.write("  manage.py seed_jobs --clear")

    def _clear(self) -> None:
        if not seeding.has_seeded():
            self.stdout.write("Nothing was seeded.")
            return
        self._follow("Removed", seeding.clear())

    def _follow(self, verb: str, progress: Iterator[int]) -> None:
        started = time.monotonic()
        for done in progress:
            self.stdout.write(f"{verb} {done:,} jobs in {time.monotonic() - started:.0f} s.")

    def _beat(self) -> None:
        self.stdout.write("The seeded workers stay alive until Ctrl-C.")
        try:
            while seeding.beat():
                time.sleep(_BEAT_EVERY.total_seconds())
        except KeyboardInterrupt:
            self.stdout.write("Stopped.")
