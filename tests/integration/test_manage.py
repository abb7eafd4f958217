"""``manage.py`` answers a bad configuration with one sentence."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

REPOSITORY = Path(__file__).parent.parent.parent


def run_manage(**environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "manage.py", "check"],
        cwd=REPOSITORY,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_malformed_database_url_is_told_in_one_line_without_the_password():
    result = run_manage(DATABASE_URL="postgres://ana:s3%cret@host/estancias")

    assert result.returncode == 1
    assert result.stderr.startswith("DATABASE_URL cannot be used: a % in it")
    assert result.stderr.count("\n") == 1
    assert "cret" not in result.stderr


def test_production_never_falls_back_to_a_server_of_its_own():
    result = run_manage(DATABASE_URL="", DEBUG="False", SECRET_KEY="irrelevant")

    assert result.returncode == 1
    assert result.stderr.startswith("DATABASE_URL is not set")
