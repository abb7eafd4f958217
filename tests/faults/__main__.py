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
from tests.faults.report import Result, write_report

PROJECT = Path(__file__).parents[2]
PAGE = PROJECT / "docs" / "faults.md"
_OWN = ("tests/faults/test_points.py", "tests/faults/test_cases.py")


def main() -> int:
    """Run the tests of every case, and write the page."""
    options = _options()
    tests = dict.fromkeys(
        [*_OWN, *(test for case in CASES for test in case.tests if not test.startswith(_OWN))]
    )
    began = time.monotonic()
    results = _run(list(tests), seed=options.seed, lives=options.lives, is_thorough=options.thorough)
    minutes = (time.monotonic() - began) / 60
    is_held = write_report(PAGE, results, seed=options.seed, lives=options.lives, minutes=minutes)
    sys.stdout.write(f"{PAGE.relative_to(PROJECT)}: {'all held' if is_held else 'NOT ALL HELD'}\n")
    return 0 if is_held else 1


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make faults ARGS=")
    parser.add_argument("--seed", type=int, default=1, help="another seed, other visits and answers")
    parser.add_argument("--thorough", action="store_true", help="strike each point in every scenario")
    parser.add_argument("--lives", type=int, default=40, help="how many lives are struck at random")
    return parser.parse_args()


def _run(tests: list[str], *, seed: int, lives: int, is_thorough: bool) -> dict[str, Result]:
    with tempfile.TemporaryDirectory() as folder:
        record = Path(folder) / "record.json"
        record.write_text("{}")
        environment = os.environ | {
            "FAULTS_RECORD": str(record),
            "FAULTS_SEED": str(seed),
            "FAULTS_LIVES": str(lives),
            "FAULTS_THOROUGH": "yes" if is_thorough else "",
        }
        command = [sys.executable, "-m", "pytest", "-q", "-m", "", "-p", "tests.faults.record", "-n", "2"]
        subprocess.run([*command, "--show-capture=no", *tests], cwd=PROJECT, env=environment, check=False)
        rows = json.loads(record.read_text())
    return {name: Result(passed=row["passed"], problem=row["problem"]) for name, row in rows.items()}


if __name__ == "__main__":
    sys.exit(main())
