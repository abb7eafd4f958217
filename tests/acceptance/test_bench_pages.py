"""``make bench-pages`` brings its own Postgres, fills it and opens every page."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.slow
def test_without_a_database_of_ones_own_every_page_is_opened_and_none_fails():
    environment = {name: value for name, value in os.environ.items() if name != "DATABASE_URL"}
    environment["DJANGO_SETTINGS_MODULE"] = "reyes_estancias.settings"

    run = subprocess.run(
        [sys.executable, "-m", "benchmarks.pages", "--count", "500", "--rounds", "1"],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )

    assert run.returncode == 0, run.stderr
    table = run.stdout.splitlines()
    assert any(line.endswith("/admin/queue/") for line in table)
    assert any(line.endswith("/admin/queue/jobs/") for line in table)
