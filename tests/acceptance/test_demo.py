"""``manage.py demo``, as somebody who has just cloned the project sees it."""

from __future__ import annotations

import os
import re
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest
from django.db import connection

from tests.ports import free_port
from tests.workers.workers import current_database_url

ROOT = Path(__file__).resolve().parents[2]
PATIENCE_SECONDS = 90.0


@pytest.fixture
def environment(db: None) -> Iterator[dict[str, str]]:
    """The environment of a demo with a database and a local Stripe of its own."""
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


def test_the_demo_refuses_to_charge_at_the_real_stripe(environment: dict[str, str], tmp_path: Path):
    demo = run_demo(
        {**environment, "STRIPE_API_BASE": "https://api.stripe.com"}, port=free_port(), files=tmp_path
    )

    assert demo.returncode == 1
    assert "charges cards at the local Stripe only" in demo.stderr
