"""The drill's worker hosts: the site's own workers, as a platform would run them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.drill.network import OFFICE, Host
from benchmarks.processes import ROOT, bare_environment

CONCURRENCY = 4
PLATFORM_PATIENCE_SECONDS = 30.0  # then a platform sends SIGKILL


@dataclass(frozen=True, slots=True, kw_only=True)
class Release:
    """What is deployed: a name, the way to the database, and options of the worker."""

    name: str
    database_url: str
    is_pooled: bool = False

    def command(self) -> list[str]:
        listening = ["--no-listen-notify"] if self.is_pooled else []
        worker = ["manage.py", "procrastinate", "worker", "--concurrency", str(CONCURRENCY), *listening]
        return [sys.executable, *worker]

    def environment(self, *, stripe_port: int) -> dict[str, str]:
        """Return the variables of a production process."""
        return {
            **bare_environment(os.environ),
            "DJANGO_SETTINGS_MODULE": "reyes_estancias.settings",
            "DATABASE_URL": self.database_url,
            "DATABASE_POOLED": str(self.is_pooled),
            "RELEASE": self.name,
            "DEBUG": "False",
            "SECRET_KEY": "of-the-drill",
            "SITE_BASE_URL": "https://reyes.example",
            "EMAIL_URL": "dummymail://",
            "STRIPE_API_BASE": f"http://{OFFICE}:{stripe_port}",
            "STRIPE_SECRET_KEY": "sk_test_local",
            "STRIPE_WEBHOOK_SECRETS": "whsec_local",
        }


@dataclass(slots=True)
class WorkerHost:
    """A host and the worker on it."""

    host: Host
    log: Path
    stripe_port: int
    process: subprocess.Popen[bytes] | None = field(default=None, init=False)

    @property
    def name(self) -> str:
        return self.host.name

    def start(self, release: Release) -> None:
        with self.log.open("ab") as output:
            self.process = subprocess.Popen(  # noqa: S603 - our own worker
                self.host.command(*release.command()),
                cwd=ROOT,
                env=release.environment(stripe_port=self.stripe_port),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
            )

    def stop(self) -> None:
        """Stop the worker as a platform does: SIGTERM, and SIGKILL when its patience ends."""
        if self.process is None:
            return
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(PLATFORM_PATIENCE_SECONDS)
        except subprocess.TimeoutExpired:
            self.kill()

    def kill(self) -> None:
        """End every process of the host at once."""
        self.host.kill()
        if self.process is not None:
            self.process.wait()
