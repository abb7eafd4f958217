"""How a project comes in: by the front door, or by one of the documented side doors."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import procrastinate_tasks
from tests.architecture.source import REPOSITORY, parse, place

PACKAGE = REPOSITORY / "procrastinate_tasks"
GUIDE = REPOSITORY / "docs" / "queue" / "guides" / "tasks.md"
FRONT_DOOR = parse(PACKAGE / "__init__.py")
USERS = ["bookings", "payments", "reyes_estancias"]
WITHOUT_DJANGO = {
    "AlertThresholds",
    "CONNECTION_OPTIONS",
    "QueueLimit",
    "Rate",
    "logging_config",
    "on_process_start",
    "on_process_stop",
}

# Modules below procrastinate_tasks, and packages of them, that its guide names for a project's own use.
SIDE_DOORS = {
    "actions.audit",
    "actions.permissions",
    "actions.policies",
    "actions.reports",
    "actions.services",
    "formatting",
    "jobs.descriptions",
    "models",
    "monitoring.alerts.rules",
    "monitoring.alerts.watch",
    "monitoring.metrics",
    "monitoring.panels",
    "monitoring.snapshot",
    "monitoring.urls",
    "queries",
    "seeding.samples",
    "tasks_api.backend",
    "tasks_api.conformance",
    "testing",
    "verification",
    "viewer.site",
}


def assigned(name: str) -> ast.expr:
    (value,) = [
        node.value
        for node in FRONT_DOOR.body
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == name
    ]
    return value


def table() -> dict[str, str]:
    homes: dict[str, str] = ast.literal_eval(assigned("_HOMES"))
    return homes


def type_checked() -> dict[str, str]:
    block = next(
        node
        for node in FRONT_DOOR.body
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"
    )
    return {
        alias.name: statement.module.removeprefix("procrastinate_tasks.")
        for statement in block.body
        if isinstance(statement, ast.ImportFrom) and statement.module
        for alias in statement.names
    }


def in_the_readme() -> set[str]:
    readme = GUIDE.read_text()
    (listed,) = re.findall(r"```python\n(from procrastinate_tasks import \(.*?\))\n```", readme, re.DOTALL)
    return {alias.name for _, alias in names_from_the_front_door(ast.parse(listed))}


def names_from_the_front_door(tree: ast.AST) -> Iterator[tuple[ast.ImportFrom, ast.alias]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module == "procrastinate_tasks":
            yield from ((node, alias) for alias in node.names)


def files_of(package: str) -> list[Path]:
    return [path for path in (REPOSITORY / package).rglob("*.py") if "migrations" not in path.parts]


def test_table_types_all_and_readme_agree():
    assert type_checked() == table()
    assert set(ast.literal_eval(assigned("__all__"))) == set(table())
    assert in_the_readme() == set(table())


@pytest.mark.parametrize("name", sorted(table()))
def test_each_name_is_what_its_home_says_and_is_kept(name: str):
    found = getattr(procrastinate_tasks, name)

    assert found is getattr(sys.modules[f"procrastinate_tasks.{table()[name]}"], name)
    assert vars(procrastinate_tasks)[name] is found


def test_a_name_that_it_does_not_have_is_refused_as_python_does():
    with pytest.raises(AttributeError, match="module 'procrastinate_tasks' has no attribute 'defre'"):
        _ = procrastinate_tasks.defre  # type: ignore[attr-defined]
    with pytest.raises(ImportError, match="cannot import name 'defre'"):
        exec("from procrastinate_tasks import defre")  # noqa: S102 - a name that no checker may see


def test_no_name_is_a_submodule_s():
    submodules = {path.stem for path in PACKAGE.iterdir() if path.suffix == ".py" or path.is_dir()}

    assert set(table()) & submodules == set()


def test_the_package_imports_nothing_and_settings_need_neither_django_s_models_nor_procrastinate():
    code = f"""
import sys
import procrastinate_tasks
assert not [name for name in sys.modules if name.startswith("procrastinate_tasks.")]
from procrastinate_tasks import {", ".join(sorted(WITHOUT_DJANGO))}
logging_config(style="json"), QueueLimit(rate=Rate(5)), AlertThresholds(), dict(CONNECTION_OPTIONS)
heavy = ("procrastinate.", "django.db", "django.apps", "psycopg")
print([name for name in sys.modules if name.startswith(heavy)])
"""

    done = subprocess.run(
        [sys.executable, "-c", code], cwd=REPOSITORY, env={}, capture_output=True, text=True, check=False
    )

    assert (done.stdout, done.stderr) == ("[]\n", "")


def test_nobody_inside_uses_the_front_door():
    offenders = [
        f"{place(path, statement)} {alias.name}"
        for path in PACKAGE.rglob("*.py")
        for statement, alias in names_from_the_front_door(parse(path))
        if alias.name in table()
    ]

    assert offenders == []


def test_a_project_takes_what_the_front_door_has_from_there():
    offenders = [
        f"{place(path, node)} {alias.name}"
        for package in USERS
        for path in files_of(package)
        for node in ast.walk(parse(path))
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
        if node.module == f"procrastinate_tasks.{table().get(alias.name)}"
    ]

    assert offenders == []


def test_a_project_uses_no_other_side_door():
    used = {
        (place(path, node), module)
        for package in USERS
        for path in files_of(package)
        for node, module in modules_used(parse(path))
    }

    assert {(where, module) for where, module in used if not is_side_door(module)} == set()


def modules_used(tree: ast.Module) -> Iterator[tuple[ast.stmt | ast.expr, str]]:
    """Yield what a file imports or names as a string: ``jobs.descriptions.Kind``, without the package."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and str(node.module).startswith("procrastinate_tasks"):
            named = [f"{node.module}.{alias.name}" for alias in node.names if alias.name not in table()]
            yield from ((node, name.removeprefix("procrastinate_tasks.")) for name in named)
        elif isinstance(node, ast.Import):
            named = [alias.name for alias in node.names if alias.name.startswith("procrastinate_tasks")]
            yield from ((node, name.removeprefix("procrastinate_tasks.")) for name in named)
    for text in ast.walk(tree):
        if isinstance(text, ast.Constant) and re.fullmatch(r"procrastinate_tasks(\.\w+)+", str(text.value)):
            yield text, str(text.value).removeprefix("procrastinate_tasks.")


def is_side_door(module: str) -> bool:
    """Whether it is one, is below one, or names something that stands in one."""
    parts = module.split(".")
    return any(".".join(parts[:length]) in SIDE_DOORS for length in range(1, len(parts) + 1))


def test_each_side_door_exists_and_the_readme_names_it():
    readme = GUIDE.read_text()

    for door in SIDE_DOORS:
        path = PACKAGE.joinpath(*door.split("."))
        assert path.with_suffix(".py").exists() or (path / "__init__.py").exists(), door
        assert f"`{door}`" in readme or f"procrastinate_tasks.{door}" in readme, door
