"""The queue app asks the database what time it is: a host's clock may be wrong, and others keep to it too."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

from tests.architecture.source import REPOSITORY, parse

HOST_CLOCKS = {
    "date.today",
    "datetime.datetime.now",
    "datetime.now",
    "datetime.today",
    "datetime.utcnow",
    "time.time",
    "time.time_ns",
    "timezone.now",
}
CLOCK_NAMES = {name.rpartition(".")[2] for name in HOST_CLOCKS}
# Without an argument they mean now.
MAYBE_HOST_CLOCKS = {"timezone.localdate", "timezone.localtime", "localdate", "localtime"}
DATES_BY_DJANGO = {"auto_now", "auto_now_add"}

# Where a host's clock may be read, and why nothing is stored, due or deleted by it.
ALLOWED = {
    "backend.enqueue": "a result's enqueued_at is told to who enqueued; enqueueing promises one statement",
    "greeting._next_run_of": "words for whoever starts a worker; the database is not asked yet",
    "heartbeat.beat": "it is compared with the database's clock, which is what the skew is",
    "job_logs._instant": "the time of a line is that of who logged it; nothing is decided by it",
    "job_viewer.moment": "a template's default for words on a page",
    "process_parts._read_clocks": "which clocks there are, not what they say",
    "process_parts._write_clocks": "which clocks there are, not what they say",
    "retries.instant_of": "Procrastinate wants an instant; encode_ends turns it back into a wait",
    "runner.start": "Procrastinate's context for the task itself; the run's own times are monotonic",
    "recording.encode": "it is subtracted from an instant by the same clock",
    "maintenance.run_rollup": "when to look again; the roll-up itself asks the database",
    "system.measure_clock_skew": "it is compared with the database's clock",
    "runs._failed": "what a signal's listener is told; the attempt is stored by the database's",
    "runs._succeeded": "what a signal's listener is told; the attempt is stored by the database's",
    "testing._claim_next": "the test's clock, which it may have frozen",
    "testing.run_job": "the test's clock, which it may have frozen",
    "watching._show_once": "words above what is shown, for whoever watches a terminal",
}


def test_nothing_is_stored_or_deleted_by_a_host_s_clock():
    package = REPOSITORY / "procrastinate_tasks"
    files = [path for path in package.rglob("*.py") if "migrations" not in path.parts]

    readers = {reader for path in files for reader in readers_of_host_clocks(path)}

    assert readers == set(ALLOWED)


def test_every_way_to_read_a_host_s_clock_is_found(tmp_path: Path):
    source = tmp_path / "sample.py"
    source.write_text(
        "def one(): return timezone.now() - KEPT\n"
        "def two(): return field(default_factory=datetime.now)\n"
        "def three(): return time.time() - 5\n"
        "def four(): return timezone.localdate()\n"
        "at = models.DateTimeField(auto_now_add=True)\n"
        "def none(): return timezone.localtime(at), time.monotonic()\n"
    )

    assert set(readers_of_host_clocks(source)) == {
        "sample.one",
        "sample.two",
        "sample.three",
        "sample.four",
        "sample.",
    }


def readers_of_host_clocks(path: Path) -> Iterator[str]:
    """Yield the functions of a file that read a host's clock, as module.function."""
    tree = parse(path)
    functions = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]
    for node in ast.walk(tree):
        if reads_host_clock(node):
            within = [each for each in functions if node in ast.walk(each)]
            yield f"{path.stem}.{within[-1].name if within else ''}"


def reads_host_clock(node: ast.AST) -> bool:
    if isinstance(node, ast.Call):
        return not node.args and ast.unparse(node.func) in MAYBE_HOST_CLOCKS
    if isinstance(node, ast.keyword):
        return node.arg in DATES_BY_DJANGO
    return isinstance(node, ast.Attribute) and node.attr in CLOCK_NAMES and ast.unparse(node) in HOST_CLOCKS
