"""The page of the settings names every setting and every check."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import procrastinate_tasks.checks
from procrastinate_tasks.conf import DEFAULTS

PACKAGE = Path(procrastinate_tasks.checks.__file__).parent
PAGE = (PACKAGE.parent / "docs" / "queue" / "reference" / "settings.md").read_text()


def documented_settings() -> set[str]:
    rows = [line for line in PAGE.splitlines() if line.startswith("| `")]
    return {name for row in rows for name in re.findall(r"`([A-Z_]+)`", row.split("|")[1])}


def test_every_setting_is_in_its_table_and_no_other():
    assert documented_settings() == {name.upper() for name in DEFAULTS}


def test_every_documented_setting_is_read_by_code_that_acts_on_it():
    acting = [path for path in PACKAGE.rglob("*.py") if path.name != "checks.py"]
    read = {name for path in acting for name in settings_read(path)}

    assert documented_settings() - {name.upper() for name in read} == set()


def settings_read(path: Path) -> set[str]:
    """Return the attributes that a module reads of what ``queue_settings()`` returned."""
    tree = ast.parse(path.read_text())
    names = {
        target.id
        for node in ast.walk(tree)
        if isinstance(node, ast.Assign) and is_settings_call(node.value)
        for target in node.targets
        if isinstance(target, ast.Name)
    }
    return {
        node.attr
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute)
        and (is_settings_call(node.value) or (isinstance(node.value, ast.Name) and node.value.id in names))
    }


def is_settings_call(node: ast.expr) -> bool:
    return isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "queue_settings"


def test_the_last_error_s_number_is_named():
    source = Path(procrastinate_tasks.checks.__file__).read_text()

    assert max(re.findall(r"procrastinate_tasks\.(E\d+)", source)) in PAGE
