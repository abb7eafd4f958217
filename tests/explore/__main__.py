"""``make explore HOURS=8``: lives that nobody has thought of, from one seed after the other."""

from __future__ import annotations

import argparse
import itertools
import os
import random
import subprocess
import sys
import time
from pathlib import Path

PROJECT = Path(__file__).parents[2]
_TEST = "test_whatever_happens_in_whatever_order_no_peso_is_taken_twice"


def main() -> int:
    """Explore until the time is over or something does not hold; that is shown in its smallest form."""
    options = _options()
    until = time.monotonic() + options.hours * 3600
    first = random.SystemRandom().randrange(10**6) if options.seed is None else options.seed
    for seed in itertools.count(first):
        sys.stdout.write(f"seed {seed}\n")
        sys.stdout.flush()
        if _explore(seed, lives=options.lives) != 0:
            sys.stdout.write(f'NOT HELD: make explore ARGS="--seed {seed} --lives {options.lives}"\n')
            return 1
        if time.monotonic() >= until:
            return 0
    return 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make explore ARGS=")
    parser.add_argument("--hours", type=float, default=0.0, help="how long; by default one seed")
    parser.add_argument("--seed", type=int, help="the first seed; by default one that nobody knows")
    parser.add_argument("--lives", type=int, default=100, help="how many lives a seed has")
    return parser.parse_args()


def _explore(seed: int, *, lives: int) -> int:
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-m",
        "",
        "--show-capture=no",
        "-rP",
        f"tests/explore/test_explore.py::{_TEST}",
    ]
    environment = os.environ | {"EXPLORE_SEED": str(seed), "EXPLORE_LIVES": str(lives)}
    return subprocess.run(command, cwd=PROJECT, env=environment, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
