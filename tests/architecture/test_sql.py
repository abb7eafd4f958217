"""Where SQL stands: a file of the room whose one module runs it, or a constant beside its call."""

from __future__ import annotations

import ast
import re
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

from procrastinate_tasks.database import statement
from tests.architecture.source import REPOSITORY, parse

APP = REPOSITORY / "procrastinate_tasks"
# drain_queue claims in the test's own process, and no room runs what it runs.
OUTSIDE_OF_ITS_ROOM = {"jobs/claim_next": "testing.py"}
SHORTEST = 9
# They speak of workers of ours only, which say themselves how long they may be silent.
OWN_WORDS_FOR_ALIVE = {"queues/lift_limits", "worker/fits_elsewhere"}
# Its plan depends on its own form of the lock's rule; test_lock_order.py compares the answers.
OWN_WORDS_FOR_BLOCKED = {"jobs/claim_next"}


def sql_files() -> dict[str, Path]:
    return {f"{path.parent.parent.name}/{path.stem}": path for path in APP.glob("*/sql/*.sql")}


def named_statements(path: Path) -> Iterator[str]:
    """Yield the names of statements in a module: texts that begin with the name of a room that has some."""
    rooms = {name.split("/")[0] for name in sql_files()}
    for node in ast.walk(parse(path)):
        if (
            isinstance(node, ast.Constant)
            and isinstance(node.value, str)
            and re.fullmatch(rf"({'|'.join(rooms)})/[a-z_]+", node.value)
        ):
            yield node.value


def modules_by_statement() -> dict[str, set[str]]:
    modules: dict[str, set[str]] = defaultdict(set)
    for path in APP.rglob("*.py"):
        for name in named_statements(path):
            modules[name].add(str(path.relative_to(APP)))
    return modules


def test_each_statement_is_named_in_one_module_of_its_own_room():
    modules = modules_by_statement()

    assert set(modules) == set(sql_files())
    for name, where in modules.items():
        assert len(where) == 1, f"{name} is named in {sorted(where)}"
        (module,) = where
        assert module.startswith(name.split("/")[0] + "/") or module == OUTSIDE_OF_ITS_ROOM.get(name), (
            f"{name} is named in {module}"
        )


def test_a_file_of_sql_is_worth_the_walk():
    short = {name: path for name, path in sql_files().items() if _length(path) < SHORTEST}

    assert not short, "a short statement is a constant beside its call"


def _length(path: Path) -> int:
    return len(path.read_text().splitlines())


def test_what_many_statements_must_agree_on_is_said_once():
    for name, path in sql_files().items():
        sql = path.read_text()
        says_alive = re.search(r"last_heartbeat\s*(<|>)", sql)
        says_blocked = re.search(r"other\.lock = job\.lock", sql)
        assert not says_alive or name in OWN_WORDS_FOR_ALIVE, f"{name}: say {{{{is_alive}}}}"
        assert not says_blocked or name in OWN_WORDS_FOR_BLOCKED, f"{name}: say {{{{is_blocked}}}}"


def test_every_rule_that_a_statement_names_is_put_in():
    for name in sql_files():
        assert not re.search(r"{{|}}|{now}", statement(name)), name
