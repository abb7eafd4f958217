"""``python -m tests.workers.storm``: a storm on a server of its own, a report, a verdict as exit code."""

from __future__ import annotations

import argparse
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tests.workers.postgres import ROOT, own_server
from tests.workers.storm.plan import doses_for, plan_faults
from tests.workers.storm.report import Circumstances, write_report
from tests.workers.storm.storm import run_storm
from tests.workers.storm.verdict import judge


def main() -> None:
    """Runs a storm as the command line asks.

    Exits with 1 when a promise was broken; the report is written in any case.
    """
    arguments = _read_arguments()
    seconds = arguments.minutes * 60
    began = time.monotonic()
    before = os.getloadavg()[0]
    _tell(f"seed {arguments.seed}")
    with tempfile.TemporaryDirectory(prefix="storm-") as directory, own_server() as server:
        aftermath = run_storm(
            server=server,
            plan=plan_faults(seed=arguments.seed, seconds=seconds, doses=doses_for(seconds)),
            seed=arguments.seed,
            seconds=seconds,
            directory=Path(arguments.keep or directory),
            tell=lambda line: _tell(f"{time.monotonic() - began:5.0f} s: {line}"),
        )
        version = server.cluster.binaries.version
    verdict = judge(aftermath.evidence)
    circumstances = Circumstances(
        seed=arguments.seed,
        command=f"make soak MINUTES={arguments.minutes:g} ARGS='--seed {arguments.seed}'",
        commit=_read_commit(),
        postgres=version,
        load_averages=(before, os.getloadavg()[0]),
    )
    report = write_report(aftermath=aftermath, verdict=verdict, circumstances=circumstances)
    arguments.report.write_text(report, encoding="utf-8")
    for complaint in verdict.complaints():
        _tell(f"BROKEN: {complaint}")
    _tell(f"{'kept' if verdict.is_clean else 'BROKEN'}: see {arguments.report}")
    sys.exit(0 if verdict.is_clean else 1)


def _read_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.workers.storm", description=__doc__)
    parser.add_argument("--minutes", type=float, default=30.0, help="how long the load lasts")
    parser.add_argument(
        "--seed",
        type=int,
        default=random.randrange(1_000_000),  # noqa: S311 - names a storm, keeps no secret
        help="draws the faults; by default another each time",
    )
    parser.add_argument("--report", type=Path, default=Path("docs/soak.md"), help="the file to write")
    parser.add_argument("--keep", type=Path, help="an empty directory where ledger and logs are to stay")
    return parser.parse_args()


def _read_commit() -> str:
    """Names the code under test; a copy without its history cannot."""
    git = shutil.which("git")
    if git is None:
        return "unknown"
    command = [git, "describe", "--always", "--dirty"]
    described = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    return described.stdout.strip() or "unknown"


def _tell(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
