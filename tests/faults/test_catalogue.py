"""The catalogue is whole, and each of its tests exists."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.faults.case import ANSWERS, DEATHS
from tests.faults.catalogue import CASES, POINTS
from tests.faults.report import Result, Run, write_report
from tests.faults.scenarios import SCENARIOS

PROJECT = Path(__file__).parents[2]
RUN = Run(seed=7, lives=1, is_thorough=True, minutes=1, load=(0.5, 2.0))


def test_every_case_has_tests_or_nothing_to_strike():
    ids = [case.id for case in CASES]

    assert len(ids) == len(set(ids)) == 84
    assert [case.id for case in CASES if bool(case.tests) == bool(case.nothing)] == []
    assert {point.case for point in POINTS.values()} <= set(ids)
    assert {point.scenario for point in POINTS.values()} == SCENARIOS.keys()


@pytest.mark.parametrize("test", sorted({test for case in CASES for test in case.tests}))
def test_the_test_of_a_case_exists(test: str):
    file, _, name = test.partition("::")

    assert re.search(rf"^def {name}\(", (PROJECT / file).read_text(), re.MULTILINE)


def test_a_case_that_does_not_hold_is_told(tmp_path: Path):
    tests = {test for case in CASES for test in case.tests}
    scenarios = {point.scenario for point in POINTS.values()}
    names = {
        f"{test}[{each}]" for test in tests for each in (scenarios if test in (DEATHS, ANSWERS) else ("",))
    }
    results = {name: Result(passed=True, problem="") for name in names}
    page = tmp_path / "faults.md"
    assert write_report(page, results, RUN)
    assert "**not" not in page.read_text()
    assert "make faults ARGS='--seed 7 --lives 1 --thorough'" in page.read_text()

    name, kept = results.popitem()
    assert not write_report(page, results, RUN)
    assert "**not run**" in page.read_text()
    results[name] = kept

    broken = next(case for case in CASES if case.tests)
    results[f"{broken.tests[0]}[]"] = Result(passed=False, problem="I2: charged twice")
    assert not write_report(page, results, RUN)
    assert "**not held**" in page.read_text()
    assert "I2: charged twice" in page.read_text()
