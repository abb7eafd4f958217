"""Pytest plugin: writes down what became of each test, in the file that ``FAULTS_RECORD`` names."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

_results: dict[str, dict[str, object]] = {}


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Keep the worst of a test's phases."""
    kept = _results.setdefault(report.nodeid, {"passed": True, "problem": ""})
    if not report.passed:
        kept["passed"] = False
        kept["problem"] = (report.longreprtext.strip().splitlines() or [report.outcome])[-1][:300]


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Write the record; of several processes, the one that hears of all tests."""
    if not hasattr(session.config, "workerinput"):
        Path(os.environ["FAULTS_RECORD"]).write_text(json.dumps(_results))
