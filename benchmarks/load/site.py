"""The site under load: web server and worker as in production, the local Stripe, a Postgres of its own."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import psycopg
from psycopg import sql

from benchmarks.database import SERVER_OPTIONS
from benchmarks.patience import wait_until
from benchmarks.processes import ROOT, WorkerProcess, bare_environment, family_of, resident_megabytes
from reyes_estancias.local_stripe.launcher import RunningSandbox, start_sandbox
from reyes_estancias.postgres.server import DATABASE, Address, throw_away_server

WEBHOOK_SECRET = "whsec_local"  # noqa: S105 - of the local Stripe
WORKER_OPTIONS = ("--processes", "1", "--concurrency", "4")

_HOMES = """
INSERT INTO bookings_property (name, slug, town, summary, timezone, capacity, nightly_rate_minor,
    cleaning_fee_minor, tax_bps, min_nights, max_nights, currency, is_listed)
SELECT 'Casa ' || n, 'casa-' || n, 'Tulum', 'A dos calles del mar.', 'America/Mexico_City', 4, 150000,
    10000, 1900, 2, 30, 'mxn', true
FROM generate_series(0, %(count)s - 1) AS n
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """The running site."""

    port: int
    database: dict[str, str]
    stripe: RunningSandbox
    web: WorkerProcess
    worker: WorkerProcess

    @property
    def base_url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def connect(self) -> psycopg.Connection:
        return psycopg.connect(**self.database, autocommit=True, application_name="load")  # type: ignore[arg-type]

    def megabytes(self) -> tuple[float, float]:
        """Return what web and worker hold now, pages that they share among themselves counted once."""
        return _megabytes(self.web), _megabytes(self.worker)


def _megabytes(process: WorkerProcess) -> float:
    return resident_megabytes(family_of(process.pid), shared_once=True)


@contextmanager
def running_site(*, folder: Path, homes: int, web_concurrency: int, latency_ms: int) -> Iterator[Site]:
    """Run the whole site for the length of the block."""
    with ExitStack() as stack:
        address = stack.enter_context(throw_away_server(options=SERVER_OPTIONS))
        port = free_port()
        base_url = f"http://127.0.0.1:{port}"
        stripe = start_sandbox(
            state=folder / "stripe.jsonl",
            latency_ms=latency_ms,
            webhook_url=f"{base_url}/webhooks/stripe/",
            webhook_secret=WEBHOOK_SECRET,
        )
        stack.callback(stripe.stop)
        database = create_database(address)
        environment = production_environment(address, base_url=base_url, stripe=stripe)
        environment |= {"PORT": str(port), "WEB_CONCURRENCY": str(web_concurrency)}
        manage(environment, "migrate", "--no-input", "--verbosity=0")
        manage(environment, "collectstatic", "--no-input", "--verbosity=0")
        with psycopg.connect(**database, autocommit=True) as connection:  # type: ignore[arg-type]
            connection.execute(_HOMES, {"count": homes})
        web = WorkerProcess(
            [sys.executable, "-m", "gunicorn", "--config", "reyes_estancias/gunicorn_conf.py"],
            environment=environment,
            log=folder / "web.log",
        )
        stack.callback(web.stop)
        worker = WorkerProcess(
            [sys.executable, "manage.py", "procrastinate", "worker", *WORKER_OPTIONS],
            environment=environment,
            log=folder / "worker.log",
        )
        stack.callback(worker.stop)
        wait_until(lambda: answers(base_url), what="the site's first answer")
        yield Site(port=port, database=database, stripe=stripe, web=web, worker=worker)


def create_database(address: Address) -> dict[str, str]:
    """Create the site's database, and return how to connect to it."""
    server = {"host": str(address.socket_dir), "port": str(address.port), "user": address.user}
    with psycopg.connect(**server, dbname="postgres", autocommit=True) as connection:  # type: ignore[arg-type]
        connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(DATABASE)))
    return {**server, "dbname": DATABASE}


def production_environment(address: Address, *, base_url: str, stripe: RunningSandbox) -> dict[str, str]:
    """Return the variables of a production process, but for the real Stripe."""
    return {
        **bare_environment(os.environ),
        "DJANGO_SETTINGS_MODULE": "reyes_estancias.settings",
        "DATABASE_URL": address.as_url(),
        "DEBUG": "False",
        "SECRET_KEY": "of-the-load-test",
        "SITE_BASE_URL": base_url,
        "TRUSTED_PROXIES": "1",
        "EMAIL_URL": "dummymail://",
        "STRIPE_API_BASE": stripe.base_url,
        "STRIPE_SECRET_KEY": "sk_test_local",
        "STRIPE_WEBHOOK_SECRETS": WEBHOOK_SECRET,
    }


def manage(environment: dict[str, str], *command: str) -> None:
    subprocess.run([sys.executable, "manage.py", *command], cwd=ROOT, env=environment, check=True)  # noqa: S603


def answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=5):  # noqa: S310 - our own address
            return True
    except urllib.error.HTTPError as answer:
        answer.close()
        return True
    except OSError:
        return False


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
