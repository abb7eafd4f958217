"""What guests do on the site, for Locust: most look around, some book and pay."""

from __future__ import annotations

import itertools
import os
import random
import re
import time
import uuid
from datetime import date, timedelta
from ipaddress import ip_address

from locust import FastHttpUser, between, task

TOKEN = re.compile(r'name="csrfmiddlewaretoken" value="([^"]+)"')
VERSIONS = re.compile(r'name="versions" value="([^"]*)"')
FIRST_DAY, LAST_DAY = 5, 600
HOMES = int(os.environ["LOAD_HOMES"])
PATIENCE_SECONDS = 30.0
CARD = {
    "number": "4242424242424242",
    "expiry": "12/40",
    "cvc": "123",
    "name": "Lucia",
    "email": "lucia@correo.example",
}


class Guest(FastHttpUser):
    """Somebody with a browser: reads, thinks, clicks.

    Each comes from an address of their own, as the platform's router would tell it.
    """

    wait_time = between(1.5, 5.5)
    connection_timeout = network_timeout = 30.0

    def on_start(self) -> None:
        self._headers = {"X-Forwarded-For": str(ip_address("10.0.0.0") + next(_numbers))}
        self._token = ""

    @task(8)
    def look_at_all_homes(self) -> None:
        self._get("/", name="the homes")

    @task(8)
    def search(self) -> None:
        self._get(f"/?{_stay()}", name="the homes, with dates")

    @task(13)
    def look_at_a_home(self) -> None:
        self._get(_home(), name="a home")

    @task(10)
    def ask_for_a_price(self) -> None:
        self._get(f"{_home()}?{_stay()}", name="a home, with dates")

    @task(1)
    def book(self) -> None:
        booking = self._hold()
        if booking is None:
            return  # others have these nights: the guest looks on
        self._think()
        self._get(booking, name="a booking")
        self._think()
        payment_page = self._send(f"{booking}pagar/", {}, name="to the payment page")
        if payment_page is None:
            return
        self._think()
        paid = self.client.post(
            payment_page, data=CARD, name="(at the local Stripe) pay", allow_redirects=False
        )
        if paid.status_code == 303:
            self._wait_until_confirmed(booking)

    def _hold(self) -> str | None:
        """Ask for some nights, and return the booking's address when they were free."""
        home, stay = _home(), _stay()
        shown = self._get(f"{home}?{stay}", name="a home, with dates")
        if 'id="hold"' not in shown:
            return None
        self._think()
        guest = {"name": "Lucía Ramírez", "email": f"{uuid.uuid4().hex[:12]}@correo.example", "phone": ""}
        guest |= {"accepts": "on", "versions": next(iter(VERSIONS.findall(shown)), "0-0")}
        fields = dict(part.split("=") for part in stay.split("&"))
        return self._send(f"{home}?{stay}", {**fields, **guest}, name="hold the nights")

    def _get(self, path: str, *, name: str) -> str:
        """Read a page, and keep the token of its forms."""
        text = self.client.get(path, name=name, headers=self._headers).text or ""
        self._token = next(iter(TOKEN.findall(text)), self._token)
        return text

    def _send(self, path: str, fields: dict[str, str], *, name: str) -> str | None:
        """Send a form of the page that was read last, and return where the site leads the guest."""
        answer = self.client.post(
            path,
            data={**fields, "csrfmiddlewaretoken": self._token},
            name=name,
            headers={**self._headers, "Referer": self.host or ""},
            allow_redirects=False,
        )
        return str(answer.headers["Location"]) if answer.status_code == 303 else None

    def _wait_until_confirmed(self, booking: str) -> None:
        """Look at the booking's page as it looks at itself, until the deposit has arrived."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while time.monotonic() < deadline:
            time.sleep(2)
            with self.client.get(
                booking, name="a booking", headers=self._headers, catch_response=True
            ) as page:
                if "state-confirmed" in (page.text or ""):
                    return
                if time.monotonic() >= deadline:
                    page.failure(f"not confirmed within {PATIENCE_SECONDS:.0f} s")

    def _think(self) -> None:
        time.sleep(random.uniform(1, 3))  # noqa: S311 - a guest's pause


_numbers = itertools.count(1)


def _home() -> str:
    return f"/casas/casa-{random.randrange(HOMES)}/"  # noqa: S311 - a guest's taste


def _stay() -> str:
    check_in = date.today() + timedelta(days=random.randint(FIRST_DAY, LAST_DAY))  # noqa: S311, DTZ011
    check_out = check_in + timedelta(days=random.randint(2, 6))  # noqa: S311
    return f"check_in={check_in}&check_out={check_out}&guests=2"
