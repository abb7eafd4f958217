"""Slow clients hold nobody up: the web process with one worker and four threads, and real sockets."""

from __future__ import annotations

import os
import socket
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path

import pytest

from benchmarks.load.slow_clients import HEAD, OPENINGS, slow_clients
from tests.acceptance.dynos import Dyno, collect_static, running_dyno, status_at
from tests.acceptance.live_house import wait_until
from tests.acceptance.test_dynos import free_port
from tests.workers.workers import current_database_url

SLOW_CLIENTS = 24
PATIENCE_SECONDS = 5.0  # of a visitor, on a machine under load
SIGNED = b"Stripe-Signature: t=1,v1=x\r\nContent-Length: 200000\r\n\r\n"
LONG_EVENT = HEAD + SIGNED + b" " * 200_000

pytestmark = pytest.mark.django_db(transaction=True)  # the process reads what a test commits


@pytest.fixture(scope="module")
def static(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("static")


@contextmanager
def serving(*, static: Path, log: Path) -> Iterator[int]:
    """Run the Procfile's web process on the test's database, and say at which port it answers."""
    chosen = free_port()
    environment = {
        **os.environ,
        "DJANGO_SETTINGS_MODULE": "tests.acceptance.dyno_settings",
        "DATABASE_URL": current_database_url(),
        "DYNO_STATIC_ROOT": str(static),
        "DEBUG": "False",
        "SECRET_KEY": "insecure-development-key",
        "SITE_BASE_URL": "https://reyes.example",
        "STRIPE_SECRET_KEY": "sk_test_slow",
        "STRIPE_WEBHOOK_SECRETS": "whsec_slow",
        "WEB_CONCURRENCY": "1",
        "PORT": str(chosen),
    }
    if not any(static.iterdir()):
        collect_static(environment)
    with running_dyno("web", log=log, environment=environment) as dyno:
        wait_until(lambda: status_at(f"http://127.0.0.1:{chosen}/salud/vivo") == 200)
        assert isinstance(dyno, Dyno)
        yield chosen


@pytest.fixture(scope="module")
def port(django_db_setup: None, static: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """Where one web process answers, to all of these tests: none of them leaves it worse than it was."""
    with serving(static=static, log=tmp_path_factory.mktemp("web") / "web.log") as chosen:
        yield chosen


def seconds_until(answered: Callable[[], object]) -> float:
    began = time.monotonic()
    assert answered()
    return time.monotonic() - began


@pytest.mark.parametrize("opening", OPENINGS.values(), ids=OPENINGS)
def test_slow_clients_hold_nobody_up(port: int, opening: bytes):
    with slow_clients(port, [opening], count=SLOW_CLIENTS):
        waits = [
            seconds_until(lambda: status_at(f"http://127.0.0.1:{port}/salud/vivo") == 200) for _ in range(40)
        ]

    assert max(waits) < PATIENCE_SECONDS


def test_a_request_that_does_not_come_to_an_end_is_ended(port: int):
    with closing(socket.create_connection(("127.0.0.1", port), timeout=30)) as client:
        client.sendall(OPENINGS["a body byte by byte"])

        assert b" 408 " in client.recv(1000)


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        (HEAD + b"Content-Length: 9000000\r\n\r\n", b" 413 "),
        (HEAD + b"Transfer-Encoding: chunked\r\n\r\n", b" 411 "),
        (HEAD + b"X-Long: " + b"a" * 40_000, b" 431 "),
        (HEAD + b"Content-Length: 2\r\n\r\n{}", b" 400 "),
        (
            HEAD + b"Stripe-Signature: t=1,v1=x\r\nContent-Length: 200000\r\n\r\n" + b" " * 200_000,
            b" 400 ",
        ),
    ],
)
def test_what_is_too_much_is_refused_by_its_head(port: int, request_: bytes, status: bytes):
    with closing(socket.create_connection(("127.0.0.1", port), timeout=20)) as client:
        client.sendall(request_)

        assert status in client.recv(1000)


def test_two_requests_sent_at_once_are_both_answered_on_one_connection(port: int):
    ask = b"GET /salud/vivo HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Forwarded-Proto: https\r\n\r\n"
    with closing(socket.create_connection(("127.0.0.1", port), timeout=20)) as client:
        client.sendall(ask + ask[:20])
        answers = client.recv(4000)
        client.sendall(ask[20:])
        while answers.count(b"HTTP/1.1 200") < 2:
            more = client.recv(4000)
            assert more
            answers += more


def test_slow_readers_of_an_answer_hold_nobody_up(port: int):
    ask = b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Forwarded-Proto: https\r\n\r\n"
    with ExitStack() as stack:
        for _ in range(8):
            reader = socket.socket()
            reader.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
            stack.enter_context(closing(reader))
            reader.connect(("127.0.0.1", port))
            reader.sendall(ask)

        request = urllib.request.Request(f"http://127.0.0.1:{port}/salud/vivo")
        wait = seconds_until(lambda: urllib.request.urlopen(request, timeout=20).status == 200)  # noqa: S310

    assert wait < PATIENCE_SECONDS
