"""The two checkouts: this commit, and one whose tasks have changed."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.workers.storm.fleet import LEDGER
from tests.workers.storm.ledger import PATH_VARIABLE
from tests.workers.workers import ROOT, StartedWorker, started_worker

SETTINGS = "tests.workers.deploys.settings"
OPTIONS = ("--processes", "2", "--concurrency", "2")
_SHOP = Path("tests/workers/deploys")


@dataclass(frozen=True, slots=True)
class Checkout:
    """A release: its files in a directory of their own, and the task that only it knows."""

    release: str
    directory: Path
    only_here: str
    database_url: str
    ledger: Path

    @property
    def environment(self) -> dict[str, str]:
        return {
            **os.environ,
            "DJANGO_SETTINGS_MODULE": SETTINGS,
            "DATABASE_URL": self.database_url,
            "DEPLOYS_RELEASE": self.release,
            PATH_VARIABLE: str(self.ledger),
        }

    @contextmanager
    def worker(self, log: Path) -> Iterator[StartedWorker]:
        """Runs a worker of this release until the block ends."""
        with started_worker(
            log,
            *OPTIONS,
            checkout=self.directory,
            database_url=self.database_url,
            settings_module=SETTINGS,
            environment=self.environment,
            wait_until_up=False,
        ) as worker:
            yield worker

    @contextmanager
    def client(self) -> Iterator[subprocess.Popen[bytes]]:
        """Runs this release's web process until the block ends."""
        command = [sys.executable, "-m", "tests.workers.deploys.client"]
        process = subprocess.Popen(command, cwd=self.directory, env=self.environment)
        try:
            yield process
        finally:
            process.send_signal(signal.SIGTERM)
            assert process.wait() == 0


def make_checkouts(directory: Path, *, database_url: str) -> tuple[Checkout, Checkout]:
    """Checks the project out twice: as it is, and with the tasks of the next release."""
    older, newer = directory / "older", directory / "newer"
    _check_out(older)
    _check_out(newer)
    (newer / _SHOP / "shop_next.py").replace(newer / _SHOP / "shop.py")
    ledger = directory / LEDGER
    ledger.touch()
    return (
        Checkout("older", older, "deploys.ship", database_url, ledger),
        Checkout("newer", newer, "deploys.bill", database_url, ledger),
    )


def _check_out(target: Path) -> None:
    """Copies what git keeps, as it stands in the working tree."""
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True)
    for name in listed.stdout.decode().split("\0"):
        if name and (ROOT / name).is_file():
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(ROOT / name, target / name)
