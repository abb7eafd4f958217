"""The Procfile's web and worker are restarted at once, in the middle of their work: nothing is lost."""

from __future__ import annotations

import http.client
import os
import re
import socket
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from pathlib import Path

import pytest
from django.utils import timezone

from bookings.models import Booking
from payments.models import PaymentAttempt
from payments.policies import PaymentStatus
from reyes_estancias.local_stripe.faults import FaultKind
from tests.acceptance.dynos import (
    FROM_THE_ROUTER,
    KILLED_AFTER_SECONDS,
    MEMORY_MEGABYTES,
    Dyno,
    collect_static,
    running_dyno,
    status_at,
    stop,
)
from tests.acceptance.live_house import LiveHouse, wait_until
from tests.factories import balance_of, make_hold
from tests.house import CREATE_INTENT, CREATE_SESSION
from tests.workers.workers import current_database_url, query

# Longer than a dyno lives after SIGTERM: this charge cannot end before its worker must.
STUCK_SECONDS = KILLED_AFTER_SECONDS + 5
# Both dynos twice for the length of a restart: four web threads; four of the worker's own, one for each job.
CONNECTION_LIMIT = 2 * (4 + 4 + 4)


@pytest.fixture
def start(live_house: LiveHouse, tmp_path: Path) -> Callable[[ExitStack, int], list[Dyno]]:
    """Starts web and worker, as a release does, on a port."""
    environment = {
        **os.environ,
        "DJANGO_SETTINGS_MODULE": "tests.acceptance.dyno_settings",
        "DATABASE_URL": current_database_url(),
        "DYNO_STATIC_ROOT": str(tmp_path / "static"),
        "DEBUG": "False",
        "SECRET_KEY": os.environ.get("SECRET_KEY", "insecure-development-key"),
        "SITE_BASE_URL": "https://reyes.example",
        "WEB_CONCURRENCY": "2",
    }
    collect_static(environment)

    def start_both(stack: ExitStack, port: int) -> list[Dyno]:
        return [
            stack.enter_context(
                running_dyno(
                    name,
                    log=tmp_path / f"{name}-{port}.log",
                    environment={**environment, "PORT": str(port)},
                )
            )
            for name in ("web", "worker")
        ]

    return start_both


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def paid(bookings: list[Booking]) -> int:
    return sum(balance_of(booking).status == PaymentStatus.PAID for booking in bookings)


def sessions() -> int:
    rows = query(
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
        " AND backend_type = 'client backend' AND pid <> pg_backend_pid()"
    )
    return int(rows[0][0])


def ask_to_pay(port: int, booking: Booking) -> int:
    """Press the booking's button, and return the status of the answer."""
    page = booking.get_absolute_url()
    with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=30)) as connection:
        connection.request("GET", page, headers=FROM_THE_ROUTER)
        shown = connection.getresponse()
        (token, *_) = re.findall(r'name="csrfmiddlewaretoken" value="([^"]+)"', shown.read().decode())
        cookie = (shown.headers["Set-Cookie"] or "").partition(";")[0]
        connection.request(
            "POST",
            f"{page}pagar/",
            body=f"csrfmiddlewaretoken={token}",
            headers={
                **FROM_THE_ROUTER,
                "Referer": f"https://127.0.0.1:{port}{page}",
                "Cookie": cookie,
                "Content-Type": "application/x-www-form-urlencoded",
            },
        )
        return connection.getresponse().status


def test_both_dynos_restarted_at_once_lose_nothing(
    live_house: LiveHouse, start: Callable[[ExitStack, int], list[Dyno]]
):
    bookings = live_house.book_due(4)
    hold = make_hold(now=timezone.now())
    live_house.arm(FaultKind.SLOW_BEFORE, path=CREATE_INTENT, count=1, seconds=STUCK_SECONDS)
    live_house.arm(FaultKind.SLOW_BEFORE, path=CREATE_SESSION, count=1, seconds=4)
    old_port, new_port = free_port(), free_port()

    with ExitStack() as stack:
        old = start(stack, old_port)
        wait_until(lambda: status_at(f"http://127.0.0.1:{old_port}/") == 200)
        wait_until(lambda: paid(bookings) == 3)
        pool = stack.enter_context(ThreadPoolExecutor(2))
        button = pool.submit(ask_to_pay, old_port, hold)
        wait_until(lambda: PaymentAttempt.objects.filter(payment__booking=hold).exists())
        megabytes = {dyno.name: dyno.megabytes() for dyno in old}

        new = start(stack, new_port)
        ending = pool.submit(stop, old)
        # Those who booked long ago did so by Stripe's clock, which is turned back for them.
        wait_until(button.done)
        bookings += live_house.book_due(3)
        wait_until(lambda: status_at(f"http://127.0.0.1:{new_port}/") == 200)
        connections = sessions()
        wait_until(lambda: paid(bookings) >= 6)
        ended = ending.result()
        stop(new)

    live_house.finish()
    live_house.assert_charged_once(bookings)
    assert button.result(timeout=0) == 303
    assert ended["web"] < KILLED_AFTER_SECONDS
    assert max(megabytes.values()) < MEMORY_MEGABYTES, megabytes
    assert connections <= CONNECTION_LIMIT
