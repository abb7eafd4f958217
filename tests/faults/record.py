"""Pytest plugin: writes down what became of each test, in the file that ``FAULTS_RECORD`` names."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

_results: dict[str, dict[str, object]] = {}


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Keep the worst of a test's phases, and write all down: a run that is cut short tells what it found.

    Of several processes only the one that hears of all tests has its reports.
    """
    kept = _results.setdefault(report.nodeid, {"passed": True, "problem": "", "struck": {}})
    kept["struck"] = dict(report.user_properties).get("struck", {})
    if not report.passed:
        kept["passed"] = False
        kept["problem"] = (report.longreprtext.strip().splitlines() or [report.outcome])[-1][:300]
    if "PYTEST_XDIST_WORKER" not in os.environ:
        Path(os.environ["FAULTS_RECORD"]).write_text(json.dumps(_results))
