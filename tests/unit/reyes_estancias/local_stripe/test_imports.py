"""The local Stripe stands on the standard library alone."""

from __future__ import annotations

import ast
import sys
from pathlib import Path

import pytest

from reyes_estancias.local_stripe import core

FILES = sorted(Path(core.__file__).parent.glob("*.py"))


def imported(path: Path) -> set[str]:
    nodes = list(ast.walk(ast.parse(path.read_text())))
    plain = {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
    return plain | {str(node.module) for node in nodes if isinstance(node, ast.ImportFrom)}


@pytest.mark.parametrize("path", FILES, ids=[path.stem for path in FILES])
def test_a_module_imports_the_standard_library_and_its_siblings_only(path):
    foreign = {
        name
        for name in imported(path)
        if name.partition(".")[0] not in sys.stdlib_module_names
        and not name.startswith("reyes_estancias.local_stripe")
    }

    assert foreign == set()
