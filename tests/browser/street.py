"""The site, a local Stripe and a browser between them.

``served_here`` lets this process serve the site and run its jobs, by a clock that tests move on;
``served_by_processes`` starts what the Procfile does, by the real clock.
"""

from __future__ import annotations

import copy
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from pathlib import Path
from unittest import mock

import stripe
from django.conf import settings
from django.test import override_settings
from django.utils import timezone
from playwright.sync_api import Browser, Page

from bookings.models import Booking, Property
from payments import clocks, gateway
from procrastinate_tasks.testing import drain_queue
from reyes_estancias.local_stripe.control import Control
from reyes_estancias.local_stripe.faults import Fault, FaultKind
from reyes_estancias.local_stripe.launcher import sandbox_running
from tests.acceptance.dynos import running_dyno, status_at
from tests.acceptance.live_house import SECRET, make_gateway, wait_until
from tests.browser import stage
from tests.browser.chromium import Look, visit
from tests.invariants import assert_invariants
from tests.ports import free_port
from tests.stripe_transport import TEST_KEY
from tests.workers.workers import current_database_url

TELEPHONE = Look(width=375, height=812)
ACCEPTED = "4242 4242 4242 4242"
ASKS_THE_OWNER = "4000 0025 0000 3155"
DECLINED = "4000 0000 0000 0002"

PATIENCE_MILLISECONDS = 120_000  # with a machine that other tests keep busy

_real_now = timezone.now


@dataclass(slots=True)
class Clock:
    """The site's clock: the real one, and what a test has put it ahead."""

    ahead: timedelta = timedelta(0)

    def read(self) -> datetime:
        return _real_now() + self.ahead


@dataclass(frozen=True, slots=True)
class Street:
    """Where guests go from the site to their bank and back. No webhook is ever sent here."""

    base_url: str
    browser: Browser
    control: Control
    client: stripe.StripeClient
    run_jobs: Callable[[], object]
    clock: Clock = field(default_factory=Clock)

    @contextmanager
    def guest(self, *, email: str = "lucia@correo.example") -> Iterator[Guest]:
        """Let in a guest with a browser of their own."""
        with visit(self.browser, self.base_url, TELEPHONE) as visitor:
            visitor.page.set_default_timeout(PATIENCE_MILLISECONDS)
            yield Guest(self, visitor.page, email)

    def wait(self, **duration: float) -> None:
        """Let time pass for the site and for Stripe, with a worker at work."""
        self.clock.ahead += timedelta(**duration)
        self.control.set_clock_offset(seconds=int(self.clock.ahead.total_seconds()))
        self.run_jobs()

    @contextmanager
    def stripe_down(self) -> Iterator[None]:
        """Let Stripe answer nothing for two minutes, in which the block happens."""
        self.control.arm_fault(Fault(FaultKind.UNAVAILABLE, method="*", path="/v1/*", count=10_000))
        yield
        self.wait(minutes=2)
        self.control.clear_faults()

    def taken(self) -> int:
        """Return what the cardholders have paid and not got back, by their bank's own word."""
        return sum(line.taken for line in self.control.statement())

    def assert_invariants(self) -> None:
        statement = self.control.statement()
        stage.ask(lambda: assert_invariants(client=self.client, statement=statement))


@dataclass(slots=True)
class Guest:
    """A person with a browser; what they do is a form or a link of the page they see."""

    street: Street
    page: Page
    email: str
    path: str = ""

    def see(self, path: str = "") -> str:
        """Open a page of the site, of the booking unless another is named, and return its words."""
        self.page.goto("about:blank")  # A page that is about to renew itself would get in the way.
        answer = self.page.goto(self.street.base_url + (path or self.path))
        assert answer is not None and answer.status == 200
        return self.words()

    def wait_for(self, words: str) -> None:
        """Wait, without a click, until the page says so by itself."""
        self.page.wait_for_load_state("networkidle")
        self.street.run_jobs()
        self.page.wait_for_selector(f"main:has-text('{words}')")

    def words(self) -> str:
        return self.page.inner_text("main")

    def search(self, home: Property, *, days: int, nights: int = 3) -> None:
        """Find a home by dates, and open its page."""
        self.see("/")
        arrival = timezone.localdate() + timedelta(days=days)
        self.fill_dates(arrival, arrival + timedelta(days=nights))
        self.page.click("form.search button")
        self.page.click(f"a.home-link:has-text('{home.name}')")

    def fill_dates(self, check_in: date, check_out: date) -> None:
        self.page.fill("#check_in", check_in.isoformat())
        self.page.fill("#check_out", check_out.isoformat())

    def ask_to_hold(self) -> None:
        """Send the form of the page of a home."""
        self.page.fill("#name", "Lucía Pérez")
        self.page.fill("#email", self.email)
        self.page.check("#accepts")
        self.page.click("text=Apartar estas fechas")

    def hold(self, home: Property, *, days: int, nights: int = 3) -> None:
        self.search(home, days=days, nights=nights)
        self.ask_to_hold()
        self.keep_path()

    def keep_path(self) -> None:
        self.page.wait_for_url("**/reserva/**")
        self.path = self.page.url.removeprefix(self.street.base_url).partition("#")[0]

    def go_to_pay(self) -> None:
        """Click the button that leads to the bank's page."""
        self.page.click("text=/^Pagar anticipo/")
        self.page.wait_for_url("**/c/pay/**")

    def give_card(self, number: str) -> None:
        self.page.fill("[name=number]", number)
        self.page.click("text=/^Pagar \\$/")

    def pay(self, number: str = ACCEPTED) -> None:
        """Give a card that is accepted, and come back to the site."""
        self.give_card(number)
        self.page.wait_for_url(f"{self.street.base_url}/reserva/**")

    def book(self, home: Property, *, days: int, nights: int = 3) -> None:
        """Hold, pay and be confirmed."""
        self.hold(home, days=days, nights=nights)
        self.go_to_pay()
        self.pay()
        self.wait_for("Tu reserva está confirmada")

    def change_dates(self, *, nights: int) -> None:
        """Ask for a stay of this length, read what it costs and click."""
        booking = self.booking()
        check_in = booking.quote.check_in
        self.see(f"{self.path}fechas/")
        self.fill_dates(check_in, check_in + timedelta(days=nights))
        self.page.click("text=Ver qué cambia")
        self.page.click("section.card form button")

    def cancel(self) -> None:
        self.see(f"{self.path}cancelar/")
        self.page.click("text=Sí, cancelar la reserva")
        self.page.wait_for_url("**/reserva/*/")

    def read_statement(self) -> str:
        """Return the words of the bank's page of what was taken and given back."""
        self.page.goto(f"{self.street.control.base_url}/_sandbox/statement")
        return self.page.inner_text("body")

    def new_tab(self) -> None:
        """Close the tab, and open another in the same browser."""
        tab = self.page.context.new_page()
        tab.set_default_timeout(PATIENCE_MILLISECONDS)
        self.page.close()
        self.page = tab

    def booking(self) -> Booking:
        public_id, _number = Booking.read_access_token(self.path.split("/")[2])
        return stage.ask(lambda: Booking.objects.select_related("quote__home").get(public_id=public_id))


@contextmanager
def served_here(browser: Browser, base_url: str, state: Path) -> Iterator[Street]:
    """Put a local Stripe beside a site that this process serves."""
    policy = copy.deepcopy(settings.CONTENT_SECURITY_POLICY)
    clock = Clock()
    with sandbox_running(state=state / "state.jsonl") as sandbox:
        policy["DIRECTIVES"]["form-action"] = ["'self'", sandbox.base_url]
        client, ours = make_gateway(sandbox.base_url)
        with (
            override_settings(SITE_BASE_URL=base_url, CONTENT_SECURITY_POLICY=policy),
            mock.patch.object(gateway, "_build_gateway", lambda path: ours),
            mock.patch.object(timezone, "now", clock.read),
            mock.patch.object(clocks, "read_database_clock", clock.read),
        ):
            yield Street(base_url, browser, sandbox.control, client, lambda: stage.ask(drain_queue), clock)


@contextmanager
def served_by_processes(browser: Browser, logs: Path) -> Iterator[Street]:
    """Run the local Stripe, and the lines ``web`` and ``worker`` of the Procfile."""
    port = free_port()
    base_url = f"http://127.0.0.1:{port}"
    with sandbox_running(state=logs / "state.jsonl") as sandbox:
        environment = {
            **os.environ,
            "DJANGO_SETTINGS_MODULE": "tests.settings",
            "DATABASE_URL": current_database_url(),
            "EMAIL_URL": "dummymail://",
            "PORT": str(port),
            "SITE_BASE_URL": base_url,
            "STRIPE_API_BASE": sandbox.base_url,
            "STRIPE_SECRET_KEY": TEST_KEY,
            "STRIPE_WEBHOOK_SECRETS": SECRET,
            "GUNICORN_CMD_ARGS": f"--bind 127.0.0.1:{port}",
        }
        client, _gateway = make_gateway(sandbox.base_url)
        with (
            running_dyno("web", log=logs / "web.log", environment=environment),
            running_dyno("worker", log=logs / "worker.log", environment=environment),
        ):
            wait_until(lambda: status_at(f"{base_url}/salud/vivo") == 200)
            yield Street(base_url, browser, sandbox.control, client, run_jobs=lambda: None)
