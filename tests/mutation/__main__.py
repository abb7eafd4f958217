"""``make mutants``: breaks one guard after the other and sees whether the tests nearest to it notice.

Ours and not a published tool: a worker's children load modules from files, half of the guards stand in SQL
files, and the tests need a Postgres in which no earlier mutant has left its rows.
"""

from __future__ import annotations

import argparse
import contextlib
import queue
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tests.mutation import python_mutants, sql_mutants
from tests.mutation.bench import Bench, Verdict, open_bench
from tests.mutation.mutant import Mutant
from tests.mutation.report import Tried, write_report
from tests.mutation.targets import NEAREST_TESTS, PROJECT, files_of

PAGE = PROJECT / "docs" / "mutants.md"


def main() -> None:
    """Run the modules that were asked for, or all, and write the page after each."""
    options = _options()
    for name in options.modules or NEAREST_TESTS:
        todo = [each for each in _mutants_of(name) if options.line in each[1].line]
        tried = _try_all(todo, tests=NEAREST_TESTS[name], at_once=options.at_once)
        if not options.line:
            write_report(PAGE, {name: tried}, tests=NEAREST_TESTS)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make mutants ARGS=")
    parser.add_argument("modules", nargs="*", metavar="MODULE", help=f"among {', '.join(NEAREST_TESTS)}")
    parser.add_argument(
        "--line", default="", metavar="TEXT", help="only lines that hold this; writes no page"
    )
    parser.add_argument("--at-once", type=int, default=2, help="mutants tried at the same time")
    options = parser.parse_args()
    if unknown := set(options.modules) - NEAREST_TESTS.keys():
        parser.error(f"no such module: {', '.join(sorted(unknown))}; there are {', '.join(NEAREST_TESTS)}")
    return options


def _mutants_of(name: str) -> list[tuple[Path, Mutant]]:
    found: list[tuple[Path, Mutant]] = []
    for path in files_of(name):
        kind = sql_mutants if path.suffix == ".sql" else python_mutants
        found += [(path, each) for each in kind.mutants_of((PROJECT / path).read_bytes())]
    return found


def _try_all(todo: Sequence[tuple[Path, Mutant]], *, tests: Sequence[str], at_once: int) -> list[Tried]:
    waiting: queue.SimpleQueue[tuple[Path, Mutant]] = queue.SimpleQueue()
    for each in todo:
        waiting.put(each)
    with ThreadPoolExecutor(at_once) as pool:
        benches = [pool.submit(_work, waiting, tests) for _ in range(at_once)]
    tried = [each for bench in benches for each in bench.result()]
    return sorted(tried, key=lambda each: (each.path.suffix, each.path, each.mutant))


def _work(waiting: queue.SimpleQueue[tuple[Path, Mutant]], tests: Sequence[str]) -> list[Tried]:
    tried: list[Tried] = []
    with open_bench(PROJECT, tests=tests) as bench, contextlib.suppress(queue.Empty):
        while True:
            tried.append(_try_one(bench, *waiting.get_nowait()))
    return tried


def _try_one(bench: Bench, path: Path, mutant: Mutant) -> Tried:
    began = time.monotonic()
    verdict = bench.try_out(path, mutant)
    sign = {Verdict.SURVIVED: "SURVIVED"}.get(verdict, verdict.value)
    print(  # noqa: T201
        f"{sign:9} {time.monotonic() - began:5.1f} s  {path}:{mutant.line_number}  {mutant.change}",
        flush=True,
    )
    return Tried(path, mutant, verdict)


if __name__ == "__main__":
    main()
