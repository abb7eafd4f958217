"""Sending events to their webhook endpoints, from threads of their own."""

from __future__ import annotations

import http.client
import logging
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass

from reyes_estancias.local_stripe.core import Core
from reyes_estancias.local_stripe.settings import read_settings
from reyes_estancias.local_stripe.webhooks import Delivery, pick_due, record_answer, sign, write_payload

logger = logging.getLogger(__name__)

TIMEOUT_SECONDS = 10.0
IDLE_SECONDS = 0.25
SENDERS = 4


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """Stripe counts a redirect as a refusal."""

    def redirect_request(self, *args: object, **kwargs: object) -> None:
        return None


OPENER = urllib.request.build_opener(_NoRedirect, urllib.request.ProxyHandler({}))


@dataclass(frozen=True, slots=True)
class Parcel:
    """One delivery, ready to be sent."""

    delivery: Delivery
    url: str
    payload: bytes
    secret: str


class Postman:
    """Sends what is due until stopped. Waiting deliveries are in the store, so a restart sends them."""

    def __init__(self, core: Core, *, lock: threading.Lock, save: Callable[[], None]) -> None:
        self._core = core
        self._lock = lock
        self._save = save
        self._busy: set[str] = set()
        self._is_stopped = threading.Event()
        self._is_woken = threading.Event()

    def start(self) -> None:
        for number in range(SENDERS):
            threading.Thread(target=self.run, name=f"webhooks-{number}", daemon=True).start()

    def wake(self) -> None:
        """Look for deliveries now instead of at the next turn."""
        self._is_woken.set()

    def stop(self) -> None:
        """Send and store nothing more."""
        self._is_stopped.set()
        self._is_woken.set()

    def run(self) -> None:
        while not self._is_stopped.is_set():
            if not self.run_once():
                self._is_woken.wait(IDLE_SECONDS)
                self._is_woken.clear()

    def run_once(self) -> bool:
        """Send one delivery; return whether there was one."""
        with self._lock:
            if self._is_stopped.is_set():
                return False
            self._core.tick(now=time.time())
            parcel = self._take()
            self._save()
        if parcel is None:
            return False
        answer, is_taken = send(parcel)
        with self._lock:
            self._busy.discard(parcel.delivery.id)
            if self._is_stopped.is_set():
                return False
            record_answer(
                self._core.store, parcel.delivery, answer=answer, is_taken=is_taken, now=time.time()
            )
            self._save()
        return True

    def _take(self) -> Parcel | None:
        store = self._core.store
        delivery = pick_due(store, now=time.time(), busy=frozenset(self._busy))
        if delivery is None:
            return None
        event = store.get("event", delivery.event)
        endpoint = store.get("webhook_endpoint", delivery.endpoint)
        secret = store.get("webhook_secrets", delivery.endpoint)
        if event is None or endpoint is None or secret is None:
            store.remove("pending_deliveries", delivery.id)
            return None
        self._busy.add(delivery.id)
        payload = write_payload(event, is_thin=read_settings(store).are_webhooks_thin)
        return Parcel(delivery, endpoint["url"], payload, secret["secret"])


def send(parcel: Parcel) -> tuple[str, bool]:
    """Post one event; return what came back, and whether the endpoint took it (2xx)."""
    request = urllib.request.Request(  # noqa: S310 - the URL is checked to be http(s) when the endpoint is made
        parcel.url,
        data=parcel.payload,
        headers={
            "Content-Type": "application/json; charset=utf-8",
            "Stripe-Signature": sign(parcel.payload, secret=parcel.secret, timestamp=int(time.time())),
            "User-Agent": "Stripe/1.0 (local sandbox)",
        },
    )
    try:
        with OPENER.open(request, timeout=TIMEOUT_SECONDS) as response:
            return str(response.status), 200 <= response.status < 300
    except urllib.error.HTTPError as error:
        error.close()
        return str(error.code), False
    except (OSError, http.client.HTTPException) as error:
        logger.debug("webhook %s not delivered: %s", parcel.delivery.id, error)
        return type(error).__name__, False
