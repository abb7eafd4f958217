"""What the environment makes of the settings."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
READ = (
    "import json; from reyes_estancias import settings as s;"
    " database = s.DATABASES['default'];"
    " print(json.dumps([database['DISABLE_SERVER_SIDE_CURSORS'], s.PROCRASTINATE_TASKS_RELEASE]))"
)


def read_settings(**environment: str) -> list[object]:
    """Return whether server-side cursors are off, and the release, as a fresh process has them."""
    answer = subprocess.run(
        [sys.executable, "-c", READ],
        cwd=ROOT,
        env={**os.environ, "DATABASE_URL": "postgres://ana@nowhere/estancias", **environment},
        capture_output=True,
        check=True,
    )
    return list(json.loads(answer.stdout))


def test_behind_pgbouncer_no_cursor_is_left_on_the_server():
    assert read_settings(DATABASE_POOLED="True")[0] is True
    assert read_settings(DATABASE_POOLED="False")[0] is False


def test_the_release_is_stored_with_each_attempt():
    assert read_settings(RELEASE="v42")[1] == "v42"
