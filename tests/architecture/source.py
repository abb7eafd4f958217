"""The project's own files, for the rules that are checked on them."""

from __future__ import annotations

import ast
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parent.parent.parent
PACKAGES = ["reyes_estancias", "payments", "bookings", "procrastinate_tasks"]


def product_files() -> Iterator[Path]:
    """Yield the Python files of the four packages, migrations left out."""
    for package in PACKAGES:
        yield from (path for path in (REPOSITORY / package).rglob("*.py") if "migrations" not in path.parts)


def all_python_files() -> Iterator[Path]:
    """Yield the Python files of the project, migrations left out."""
    yield from product_files()
    yield from (REPOSITORY / "benchmarks").rglob("*.py")
    yield from (REPOSITORY / "tests").rglob("*.py")
    yield REPOSITORY / "manage.py"


def parse(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def place(path: Path, node: ast.stmt | ast.expr) -> str:
    """Return where a node stands, as an editor takes it."""
    return f"{path.relative_to(REPOSITORY)}:{node.lineno}"


def imported_modules(tree: ast.AST) -> Iterator[tuple[ast.stmt, str]]:
    """Yield every import statement below ``tree`` with the modules that it names."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((node, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node, "." * node.level + (node.module or "")


def committed_files(*, and_new: bool = True) -> list[Path]:
    """Return the files that git keeps, and those it would keep once added; skips where there is no git."""
    # git distrusts a checkout that belongs to somebody else, as root's view of a user's does
    command = [
        "git",
        "-c",
        "safe.directory=*",
        "ls-files",
        "-z",
        "--cached",
        *(["--others", "--exclude-standard"] if and_new else []),
    ]
    listing = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=False)
    if listing.returncode != 0:
        pytest.skip("this copy of the project is no git checkout")
    paths = (REPOSITORY / name for name in listing.stdout.split("\0") if name)
    return [path for path in paths if path.is_file()]
