"""The README of the queue app names every setting and every check."""

from __future__ import annotations

import re
from pathlib import Path

import procrastinate_tasks.checks
from procrastinate_tasks.conf import DEFAULTS

README = (Path(procrastinate_tasks.checks.__file__).parent / "README.md").read_text()


def test_every_setting_is_in_its_table():
    rows = [line for line in README.splitlines() if line.startswith("| `")]
    documented = {name for row in rows for name in re.findall(r"`([A-Z_]+)`", row.split("|")[1])}

    assert {name.upper() for name in DEFAULTS} <= documented


def test_the_last_error_s_number_is_named():
    source = Path(procrastinate_tasks.checks.__file__).read_text()

    assert max(re.findall(r"procrastinate_tasks\.(E\d+)", source)) in README
