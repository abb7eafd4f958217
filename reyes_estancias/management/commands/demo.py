"""``manage.py demo``: a hundred due balances are charged through the queue, at the local Stripe."""

from __future__ import annotations

import logging
import os
import signal
import time
from argparse import ArgumentParser
from contextlib import ExitStack, suppress
from datetime import timedelta
from pathlib import Path
from typing import Any

from django.conf import settings
from django.contrib.auth import get_user_model
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError
from django.db.migrations.exceptions import InconsistentMigrationHistory
from django.db.models import QuerySet
from procrastinate.contrib.django.models import ProcrastinateWorker

from bookings.models import Booking
from payments import tasks
from payments.gateway import get_gateway
from payments.models import Payment
from payments.policies import PaymentKind
from reyes_estancias.demo.homes import make_homes
from reyes_estancias.demo.interruption import end_when_interrupted, let_nothing_interrupt
from reyes_estancias.demo.leftovers import DEMO, end, find_noted, noted
from reyes_estancias.demo.report import ENDED, count_outcome, render_table
from reyes_estancias.demo.stage import (
    Actor,
    DoesNotAnswer,
    PortTaken,
    ProcessDied,
    check_port_is_free,
    running_web,
    running_worker,
)
from reyes_estancias.demo.stays import Booker, balances_due
from reyes_estancias.local_stripe.launcher import RunningSandbox, SandboxDidNotStart, start_sandbox
from reyes_estancias.postgres.server import open_home, stop_if_unused

LOGIN = "demo"
LOCAL = Path(settings.BASE_DIR) / ".local" / "demo"
CHARGES_TIMEOUT = timedelta(minutes=10)


class Command(BaseCommand):
    help = "Charge a hundred due balances through the queue, at a Stripe of our own; then serve the site."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--once", action="store_true", help="end with the table instead of serving the site"
        )
        parser.add_argument("--bookings", type=int, default=100, help="how many balances are due")
        parser.add_argument(
            "--sample", type=int, default=10, help="how many are charged one after another first"
        )
        parser.add_argument("--concurrency", type=int, default=10, help="charges at a time in the one worker")
        parser.add_argument(
            "--latency-ms", type=int, default=300, help="how long the local Stripe takes to answer"
        )
        parser.add_argument("--port", type=int, default=8000, help="where the site is served")
        parser.add_argument(
            "--files", type=Path, default=LOCAL, help="where its logs and the local Stripe's state are kept"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        self._refuse_a_real_stripe()
        # The screen is for the demo; what its worker and web server log is in their files.
        logging.disable(logging.INFO)
        end_when_interrupted()
        try:
            with ExitStack() as stage:
                try:
                    self._play(stage, options)
                finally:
                    let_nothing_interrupt()
        except (DoesNotAnswer, PortTaken, ProcessDied, SandboxDidNotStart) as problem:
            raise CommandError(str(problem)) from problem
        except KeyboardInterrupt:
            with suppress(OSError):  # the terminal may be gone
                self.stdout.write("\nStopped.")
        finally:
            stop_if_unused(project=Path(settings.BASE_DIR))

    def _play(self, stage: ExitStack, options: dict[str, Any]) -> None:
        base_url = f"http://127.0.0.1:{options['port']}"
        self._end_leftovers(options["files"])
        stage.enter_context(noted(DEMO, pid=os.getpid(), directory=options["files"]))
        check_port_is_free(port=options["port"], option="make demo ARGS='--port {port}'")
        sandbox = self._start_stripe(stage, base_url, files=options["files"])
        self.stdout.write("Preparing the database; the first time takes half a minute …")
        self._migrate()
        self._charge_older(options)
        sample, due = self._book(sandbox, base_url, options)
        sandbox.control.set_latency(milliseconds=options["latency_ms"])
        inline_each = self._charge_one_after_another(sample, base_url)
        project = Path(settings.BASE_DIR)
        stage.enter_context(running_web(project=project, logs=options["files"], port=options["port"]))
        worker = stage.enter_context(
            running_worker(project=project, logs=options["files"], concurrency=options["concurrency"])
        )
        self._wait_for_the_worker(worker)
        took = self._charge_through_the_queue(due, worker)
        outcome = count_outcome(bookings=due, statement=sandbox.control.statement())
        table = render_table(
            outcome=outcome,
            took=took,
            inline_each=inline_each,
            sample=len(sample),
            concurrency=options["concurrency"],
        )
        self.stdout.write(f"\n{table}\n")
        if outcome.unfinished or outcome.charged_twice or outcome.taken_minor != outcome.recorded_minor:
            raise CommandError(
                f"This is not what the demo promises: {outcome}. The logs are in {options['files']}."
            )
        if not options["once"]:
            self._serve(base_url, logs=options["files"])

    def _refuse_a_real_stripe(self) -> None:
        if "127.0.0.1" not in settings.STRIPE_API_BASE:
            raise CommandError(
                "The demo charges cards at the local Stripe only. Remove STRIPE_SECRET_KEY and "
                "STRIPE_API_BASE from the environment and from .env, then run it again."
            )

    def _end_leftovers(self, files: Path) -> None:
        """End what an earlier demo left, which somebody may have killed; a demo that runs is not touched."""
        found = find_noted(files)
        running = [one for one in found if one.name == DEMO]
        if running:
            raise CommandError(f"A {running[0]} runs already. End it with Ctrl-C there, or with: make stop")
        for one in found:
            self.stdout.write(f"Ending the {one} that an earlier demo left.")
            end(one)

    def _migrate(self) -> None:
        try:
            call_command("migrate", verbosity=0)
        except InconsistentMigrationHistory as fault:
            home = open_home(Path(settings.BASE_DIR)).path
            raise CommandError(
                "The database was made by an older version, whose migrations were put together anew since."
                f" Run 'make stop', delete {home}, and begin again; with DATABASE_URL, name an empty one."
            ) from fault

    def _charge_older(self, options: dict[str, Any]) -> None:
        """Charge what an earlier demo booked and did not come to, lest it count as this one's."""
        older = balances_due()
        total = older.count()
        if not total:
            return
        self.stdout.write(
            f"{total} older balances are due: an earlier demo was interrupted. They are charged first."
        )
        project = Path(settings.BASE_DIR)
        with running_worker(
            project=project, logs=options["files"], concurrency=options["concurrency"]
        ) as worker:
            tasks.scan_and_charge_balances()
            self._wait_until_charged(older, total, worker, label="Charging the older ones")

    def _start_stripe(self, stage: ExitStack, base_url: str, *, files: Path) -> RunningSandbox:
        host, _, port_text = settings.STRIPE_API_BASE.rpartition(":")
        port = int(port_text)
        check_port_is_free(port=port, option=f"STRIPE_API_BASE={host}:{{port}} make demo")
        sandbox = start_sandbox(
            state=files / "stripe.jsonl",
            port=port,
            webhook_url=f"{base_url}/webhooks/stripe/",
            webhook_secret=settings.STRIPE_WEBHOOK_SECRETS[0],
        )
        stage.callback(sandbox.stop)
        return sandbox

    def _book(
        self, sandbox: RunningSandbox, base_url: str, options: dict[str, Any]
    ) -> tuple[list[Booking], list[Booking]]:
        """Return the bookings that are charged one after another, and those for the queue."""
        booker = Booker(homes=make_homes(), gateway=get_gateway(), control=sandbox.control, base_url=base_url)
        wanted = options["sample"] + options["bookings"]
        booked = []
        for booking in booker.book(wanted):
            booked.append(booking)
            self._show_progress("Booking past stays", len(booked), wanted)
        return booked[: options["sample"]], booked[options["sample"] :]

    def _charge_one_after_another(self, sample: list[Booking], base_url: str) -> timedelta:
        """Charge as the old scan did: inline. Returns the time of one charge."""
        tasks.compare_with_stripe()
        started = time.monotonic()
        for done, booking in enumerate(sample, start=1):
            tasks.charge_balance_for_booking(booking_id=booking.pk, base_url=base_url)
            self._show_progress("Charging a sample one after another", done, len(sample))
        return timedelta(seconds=time.monotonic() - started) / max(len(sample), 1)

    def _wait_for_the_worker(self, worker: Actor) -> None:
        """A worker that has begun to work has registered; only then does the clock of the charges start."""
        while not ProcrastinateWorker.objects.exists():
            worker.check_is_alive()
            time.sleep(0.05)

    def _charge_through_the_queue(self, due: list[Booking], worker: Actor) -> timedelta:
        started = time.monotonic()
        self.stdout.write(f"The scan answers {tasks.scan_and_charge_balances()}.")
        unfinished = Payment.objects.filter(booking__in=due, kind=PaymentKind.BALANCE).exclude(
            status__in=ENDED
        )
        self._wait_until_charged(unfinished, len(due), worker, label="Charging through the queue")
        return timedelta(seconds=time.monotonic() - started)

    def _wait_until_charged(
        self, unfinished: QuerySet[Payment], total: int, worker: Actor, *, label: str
    ) -> None:
        give_up_at = time.monotonic() + CHARGES_TIMEOUT.total_seconds()
        while left := unfinished.count():
            self._show_progress(label, total - left, total)
            worker.check_is_alive()
            if time.monotonic() > give_up_at:
                raise CommandError(
                    f"{left} charges have not ended after {CHARGES_TIMEOUT}; see {worker.log}."
                )
            time.sleep(0.1)
        self._show_progress(label, total, total)

    def _serve(self, base_url: str, *, logs: Path) -> None:
        password = _make_login()
        self.stdout.write(
            f"\nThe site   {base_url}/\n"
            f"The admin  {base_url}/admin/   login {LOGIN}, password {password}\n"
            f"The bank   {settings.STRIPE_API_BASE}/_sandbox/statement\n"
            f"The logs   {logs}\n\nCtrl-C ends everything."
        )
        signal.pause()

    def _show_progress(self, label: str, done: int, total: int) -> None:
        is_terminal = self.stdout.isatty()
        if not is_terminal and done < total:
            return
        width = 30
        bar = "█" * (width * done // max(total, 1))
        self.stdout.write(f"\r{label:<36} {bar:<{width}} {done}/{total}", ending="" if done < total else "\n")
        self.stdout.flush()


def _make_login() -> str:
    """Let the demo's visitor into the admin of this laptop, with the same well-known password each time."""
    users = get_user_model().objects
    user, _ = users.get_or_create(username=LOGIN, defaults={"is_staff": True, "is_superuser": True})
    user.set_password(LOGIN)
    user.save()
    return LOGIN
