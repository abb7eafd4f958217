"""``manage.py`` answers a bad configuration with one sentence."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

REPOSITORY = Path(__file__).parent.parent.parent


def test_a_malformed_database_url_is_told_in_one_line_without_the_password():
    result = subprocess.run(
        [sys.executable, "manage.py", "check"],
        cwd=REPOSITORY,
        env={**os.environ, "DATABASE_URL": "postgres://ana:s3%cret@host/estancias"},
        capture_output=True,
        text=True,
        check=False,
    )

    assert result.returncode == 1
    assert result.stderr.startswith("DATABASE_URL cannot be used: a % in it")
    assert result.stderr.count("\n") == 1
    assert "cret" not in result.stderr
