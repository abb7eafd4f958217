"""Each function of ours that commits or calls Stripe is visited as a point, or is here with the reason."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

from tests.faults.catalogue import POINTS, UNVISITED

PROJECT = Path(__file__).parents[2]
_DOORS = ("locking.locked_booking", "locking.locked_attempt", "transaction.atomic")
# Where these are defined, and where Stripe's answers are read.
_NO_STEPS = ("payments/ledger/locking.py", "payments/stripe_gateway.py", "payments/protocols/memory.py")


def steps() -> Iterator[str]:
    """Yield each function with a transaction or a call of its own, as points name them."""
    for path in sorted(path for app in ("bookings", "payments") for path in (PROJECT / app).rglob("*.py")):
        place = path.relative_to(PROJECT)
        if str(place) in _NO_STEPS or "migrations" in place.parts:
            continue
        module = ".".join(place.with_suffix("").parts)
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.FunctionDef) and any(map(_is_door, ast.walk(node))):
                yield f"{module} {node.name}"


def _is_door(node: ast.AST) -> bool:
    if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
        return False
    called = ast.unparse(node.func)
    return called in _DOORS or called.startswith("gateway.")


def test_every_step_of_the_source_is_visited_or_says_why_not():
    visited = {name.partition(" ")[2].rpartition(" of ")[2] for name in POINTS}
    found = set(steps())

    assert sorted(found - visited - UNVISITED.keys()) == [], "a new step: visit it in a scenario"
    assert sorted(UNVISITED.keys() - found) == [], "gone"
    assert sorted(UNVISITED.keys() & visited) == [], "visited by now"
