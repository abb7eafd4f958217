"""What guests do on the site, for Locust: most look around, some book and pay."""

from __future__ import annotations

import os
import random
import re
import time
import uuid
from datetime import date, timedelta
from urllib.parse import urlsplit

from locust import FastHttpUser, between, task

TOKEN = re.compile(r'name="csrfmiddlewaretoken" value="([^"]+)"')
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
    """Somebody with a browser: reads, thinks, clicks."""

    wait_time = between(1.5, 5.5)
    connection_timeout = network_timeout = 30.0

    @task(4)
    def look_at_all_homes(self) -> None:
        self.client.get("/", name="the homes")

    @task(4)
    def search(self) -> None:
        self.client.get(f"/?{_stay()}", name="the homes, with dates")

    @task(6)
    def look_at_a_home(self) -> None:
        self.client.get(_home(), name="a home")

    @task(4)
    def ask_for_a_price(self) -> None:
        self.client.get(f"{_home()}?{_stay()}", name="a home, with dates")

    @task(2)
    def book(self) -> None:
        address = self._hold()
        if address is None:
            return  # others have these nights: the guest looks on
        self._think()
        page = self._post(
            f"{address}pagar/", {"csrfmiddlewaretoken": self._token}, name="to the payment page"
        )
        if page is None:
            return
        self._think()
        paid = self.client.post(page, data=CARD, name="(at the local Stripe) pay", allow_redirects=False)
        if paid.status_code == 303:
            self._wait_until_confirmed(address)

    def _hold(self) -> str | None:
        home, stay = _home(), _stay()
        with self.client.get(f"{home}?{stay}", name="a home, with dates", catch_response=True) as shown:
            text = shown.text or ""
            if 'id="hold"' not in text:
                return None
            self._token = TOKEN.findall(text)[0]
        self._think()
        fields = dict(part.split("=") for part in stay.split("&"))
        guest = {"name": "Lucía Ramírez", "email": f"{uuid.uuid4().hex[:12]}@correo.example", "phone": ""}
        return self._post(
            f"{home}?{stay}", {**fields, **guest, "csrfmiddlewaretoken": self._token}, name="hold the nights"
        )

    def _post(self, path: str, fields: dict[str, str], *, name: str) -> str | None:
        """Send a form as a browser does, and return where the site leads the guest."""
        origin = {"Referer": self.host or ""}
        answer = self.client.post(path, data=fields, name=name, headers=origin, allow_redirects=False)
        if answer.status_code != 303:
            return None
        location = answer.headers["Location"]
        if urlsplit(location).netloc:
            return str(location)
        page = self.client.get(location, name="a booking")
        self._token = (TOKEN.findall(page.text or "") or [self._token])[0]
        return str(location)

    def _wait_until_confirmed(self, address: str) -> None:
        """Look at the booking's page as it looks at itself, until the deposit has arrived."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while time.monotonic() < deadline:
            time.sleep(2)
            with self.client.get(address, name="a booking", catch_response=True) as page:
                if "state-confirmed" in (page.text or ""):
                    return
                if time.monotonic() >= deadline:
                    page.failure(f"not confirmed within {PATIENCE_SECONDS:.0f} s")

    def _think(self) -> None:
        time.sleep(random.uniform(1, 3))  # noqa: S311 - a guest's pause


def _home() -> str:
    return f"/casas/casa-{random.randrange(HOMES)}/"  # noqa: S311 - a guest's taste


def _stay() -> str:
    check_in = date.today() + timedelta(days=random.randint(FIRST_DAY, LAST_DAY))  # noqa: S311, DTZ011
    check_out = check_in + timedelta(days=random.randint(2, 6))  # noqa: S311
    return f"check_in={check_in}&check_out={check_out}&guests=2"
