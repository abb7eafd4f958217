"""``manage.py demo``, as somebody who has just cloned the project sees it."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pexpect
import psycopg
import pytest
from django.db import connection

from reyes_estancias.demo.leftovers import end, find_noted
from reyes_estancias.postgres.cluster import command_line
from tests.acceptance.tiny import wait_until
from tests.ports import free_port
from tests.workers.workers import current_database_url

ROOT = Path(__file__).resolve().parents[2]
PATIENCE_SECONDS = 90.0


@pytest.fixture
def environment(db: None, tmp_path: Path) -> Iterator[dict[str, str]]:
    """The environment of a demo with a database and a local Stripe of its own; nothing outlives the test."""
    name = f"{connection.settings_dict['NAME']}_demo"
    with psycopg.connect(current_database_url(), autocommit=True) as admin:
        admin.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)'.encode())
        admin.execute(f'CREATE DATABASE "{name}"'.encode())
        yield {
            **{key: value for key, value in os.environ.items() if not key.startswith("STRIPE_")},
            "DJANGO_SETTINGS_MODULE": "reyes_estancias.settings",
            "DATABASE_URL": f"{current_database_url()}_demo",
            "STRIPE_SECRET_KEY": "sk_test_local",
            "STRIPE_WEBHOOK_SECRETS": "whsec_local",
            "STRIPE_API_BASE": f"http://127.0.0.1:{free_port()}",
        }
        for found in find_noted(tmp_path):
            end(found)
        admin.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)'.encode())


def run_demo(environment: dict[str, str], *, port: int, files: Path) -> subprocess.CompletedProcess[str]:
    own = [f"--port={port}", f"--files={files}"]
    options = ["--once", "--bookings=6", "--sample=1", "--latency-ms=0", *own]
    return subprocess.run(
        [sys.executable, "manage.py", "demo", *options],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=PATIENCE_SECONDS,
        check=False,
    )


@contextmanager
def busy_port() -> Iterator[int]:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        yield int(other.getsockname()[1])


def test_the_demo_ends_with_its_table_and_does_so_again(environment: dict[str, str], tmp_path: Path):
    port = free_port()

    for _ in range(2):
        demo = run_demo(environment, port=port, files=tmp_path)

        assert demo.returncode == 0, demo.stderr
        table = re.sub(r" {2,}", "  ", demo.stdout)
        assert "enqueued=6" in table
        counted = [
            int(count)
            for count in re.findall(r"(?:Charged|Declined by the bank|Waiting for the guest)  (\d+)", table)
        ]
        assert sum(counted) == 6
        assert "Charged twice  0  by the bank statement" in table
        assert "our ledger says the same" in table
        assert demo.stderr == ""


def test_a_busy_port_is_told_in_one_sentence_before_anything_starts(
    environment: dict[str, str], tmp_path: Path
):
    with busy_port() as port:
        demo = run_demo(environment, port=port, files=tmp_path)

    assert demo.returncode == 1
    assert demo.stderr.strip() == (
        f"CommandError: Port {port} is taken by another program. Stop it, or choose another port: "
        f"make demo ARGS='--port {port + 1}'"
    )
    assert demo.stdout == ""


def test_the_local_stripe_s_port_is_told_with_what_changes_it(environment: dict[str, str], tmp_path: Path):
    with busy_port() as port:
        taken = {**environment, "STRIPE_API_BASE": f"http://127.0.0.1:{port}"}
        demo = run_demo(taken, port=free_port(), files=tmp_path)

    assert demo.returncode == 1
    assert f"STRIPE_API_BASE=http://127.0.0.1:{port + 1} make demo" in demo.stderr


def processes_of(files: Path) -> set[int]:
    return {one.pid for one in find_noted(files)}


def start_on_a_terminal(environment: dict[str, str], *, port: int, files: Path) -> pexpect.spawn:
    own = ["--bookings=3", "--sample=1", "--latency-ms=0", f"--port={port}", f"--files={files}"]
    return pexpect.spawn(
        sys.executable,
        ["manage.py", "demo", *own],
        cwd=str(ROOT),
        env=environment,
        encoding="utf-8",
        timeout=PATIENCE_SECONDS,
    )


def close_the_terminal(demo: pexpect.spawn) -> None:
    """Close it as a window is closed: nobody waits for what ran in it."""
    demo.ptyproc.fileobj.close()
    demo.closed = demo.ptyproc.closed = True


@pytest.mark.slow  # half a minute and more, each
def test_a_demo_whose_terminal_closes_leaves_nothing_running(environment: dict[str, str], tmp_path: Path):
    demo = start_on_a_terminal(environment, port=free_port(), files=tmp_path)
    demo.expect("Ctrl-C ends everything")
    running = processes_of(tmp_path)

    close_the_terminal(demo)

    assert len(running) == 3, "the demo, its worker and its web server"
    wait_until(lambda: not any(command_line(pid) for pid in running), what="all have ended")
    assert list(tmp_path.glob("*.pid")) == []


@pytest.mark.slow  # half a minute and more, each
def test_what_a_killed_demo_leaves_is_known_as_ours_and_ended_by_the_next(
    environment: dict[str, str], tmp_path: Path
):
    port = free_port()
    demo = start_on_a_terminal(environment, port=port, files=tmp_path)
    demo.expect("Ctrl-C ends everything")
    second = run_demo(environment, port=port, files=tmp_path)
    os.kill(demo.pid, signal.SIGKILL)
    demo.wait()

    third = run_demo(environment, port=port, files=tmp_path)

    assert "A demo (process" in second.stderr and "make stop" in second.stderr
    assert third.returncode == 0, third.stderr
    assert "Ending the web-server (process" in third.stdout
    assert "Ending the worker (process" in third.stdout
    assert processes_of(tmp_path) == set()


@pytest.mark.slow  # half a minute and more, each
def test_what_an_interrupted_demo_booked_is_charged_first_and_does_not_count(
    environment: dict[str, str], tmp_path: Path
):
    port = free_port()
    demo = start_on_a_terminal(environment, port=port, files=tmp_path)
    demo.expect("Charging a sample")
    demo.sendintr()
    demo.expect(pexpect.EOF)
    said = str(demo.before)
    demo.close()

    again = run_demo(environment, port=port, files=tmp_path)

    assert "Traceback" not in said
    assert (demo.exitstatus, again.returncode) == (0, 0), again.stderr
    assert re.search(r"\d older balances are due: an earlier demo was interrupted", again.stdout)
    assert "enqueued=6" in again.stdout


def test_the_demo_refuses_to_charge_at_the_real_stripe(environment: dict[str, str], tmp_path: Path):
    demo = run_demo(
        {**environment, "STRIPE_API_BASE": "https://api.stripe.com"}, port=free_port(), files=tmp_path
    )

    assert demo.returncode == 1
    assert "charges cards at the local Stripe only" in demo.stderr
