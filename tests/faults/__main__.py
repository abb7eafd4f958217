"""``make faults``: strikes the house by every case of the catalogue, and writes docs/faults.md."""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tests.faults.catalogue import CASES
from tests.faults.report import Result, Run, write_report

PROJECT = Path(__file__).parents[2]
PAGE = PROJECT / "docs" / "faults.md"
_OWN = "tests/faults"


def main() -> int:
    """Run the tests of every case, and write the page."""
    options = _options()
    others = (test for case in CASES for test in case.tests if not test.startswith(_OWN))
    sys.stdout.write(f"Seed {options.seed}: the same lives again with ARGS='--seed {options.seed}'\n")
    sys.stdout.flush()
    began, load = time.monotonic(), os.getloadavg()[0]
    results = _run([_OWN, *dict.fromkeys(others)], options)
    run = Run(
        seed=options.seed,
        lives=options.lives,
        is_thorough=options.thorough,
        minutes=(time.monotonic() - began) / 60,
        load=(load, os.getloadavg()[0]),
    )
    is_held = write_report(PAGE, results, run)
    sys.stdout.write(f"{PAGE.relative_to(PROJECT)}: {'all held' if is_held else 'NOT ALL HELD'}\n")
    return 0 if is_held else 1


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make faults ARGS=")
    parser.add_argument("--seed", type=int, default=1, help="another seed, other visits and answers")
    parser.add_argument("--thorough", action="store_true", help="strike each point in every scenario")
    parser.add_argument("--lives", type=int, default=40, help="how many lives are struck at random")
    return parser.parse_args()


def _run(tests: list[str], options: argparse.Namespace) -> dict[str, Result]:
    with tempfile.TemporaryDirectory() as folder:
        record = Path(folder) / "record.json"
        record.write_text("{}")
        environment = os.environ | {
            "FAULTS_RECORD": str(record),
            "FAULTS_SEED": str(options.seed),
            "FAULTS_LIVES": str(options.lives),
            "FAULTS_THOROUGH": "yes" if options.thorough else "",
        }
        command = [sys.executable, "-m", "pytest", "-q", "-m", "", "-p", "tests.faults.record"]
        command += ["-n", "2", "--dist", "worksteal", "--show-capture=no", "--durations=20"]
        subprocess.run([*command, *tests], cwd=PROJECT, env=environment, check=False)
        rows = json.loads(record.read_text())
    return {name: Result(**row) for name, row in rows.items()}


if __name__ == "__main__":
    sys.exit(main())
