"""What `make mutants` changes, which tests it asks, and what it keeps of its page."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.mutation import python_mutants, sql_mutants
from tests.mutation.bench import Verdict
from tests.mutation.mutant import Mutant
from tests.mutation.report import Tried, open_survivors, write_report
from tests.mutation.targets import NEAREST_TESTS, PROJECT, files_of


def changed(mutants: list[Mutant], source: str) -> set[str]:
    return {mutant.applied_to(source.encode()).decode() for mutant in mutants}


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("x = a < b", {"x = a <= b"}),
        ("x = a is not b", {"x = a is b"}),
        ("x = (a) not in (b)", {"x = (a) in (b)"}),
        ("x = not a", {"x =  a"}),
        ("x = a and b", {"x = True and b", "x = a and True"}),
        ("x = f() or b", {"x = False or b", "x = f() or False"}),
        ("x = a + 'b'", set()),
        ("x = 3", {"x = 4", "x = 2"}),
        ("x = True", {"x = False"}),
        ("x: int = a - b", {"x: int = a + b"}),
        ("def f():\n  if a:\n    return", {"def f():\n  if ((a) and False):\n    return"}),
        ("if a:\n  b", {"if (not (a)):\n  b"}),
        ("x = [a for a in b if a.c]", {"x = [a for a in b if ((a.c) or True)]"}),
        ("news.clear()", {"pass"}),
        ("logger.info('%d', 1)", set()),
        ('"""Words."""', set()),
        ("@frozen(slots=True)\nclass A: pass", set()),
    ],
)
def test_each_small_fault_of_python_is_made_once(source: str, expected: set[str]):
    assert changed(python_mutants.mutants_of(source.encode()), source) == expected


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("WHERE a = 1 AND b", {"WHERE true AND b", "WHERE a = 1 AND true", "WHERE a = 2 AND b"}),
        ("WHERE (a OR b)", {"WHERE true", "WHERE (a OR false)"}),
        ("CASE WHEN a THEN b END", {"CASE WHEN false THEN b END"}),
        ("a <= now() -- and b < c", {"a < now() -- and b < c"}),
        ("FOR UPDATE OF job SKIP LOCKED", {"", "FOR UPDATE OF job "}),
        ("a IS NULL", {"a IS NOT NULL"}),
        (
            "ORDER BY a DESC LIMIT 5",
            {"ORDER BY a LIMIT 5", "ORDER BY a DESC LIMIT 6", "ORDER BY a DESC LIMIT 4"},
        ),
        ("SELECT %(slots)s, '5 s', job_v1(a)", set()),
    ],
)
def test_each_small_fault_of_a_statement_is_made_once(source: str, expected: set[str]):
    assert changed(sql_mutants.mutants_of(source.encode()), source) == expected


def test_a_mutant_tells_the_function_that_everybody_has_imported():
    source = (
        b"A = 1\nclass C:\n  def m(self):\n    def inner(): return 1\n    return 1\ndef f(x=1): return 1\n"
    )

    assert [each.function for each in python_mutants.mutants_of(source)] == ["", "C.m", "C.m", "", "f"]


@pytest.mark.parametrize("name", NEAREST_TESTS)
def test_every_module_that_can_be_named_is_there_with_its_tests(name: str):
    paths = [*map(str, files_of(name)), *NEAREST_TESTS[name]]
    missing = [path for path in paths if not (PROJECT / path).exists()]

    assert missing == []


def test_a_statement_goes_with_the_module_that_runs_it():
    assert [path.name for path in files_of("jobs/recording")] == ["recording.py", "complete_jobs.sql"]


def test_a_run_keeps_the_reasons_and_the_other_modules(tmp_path: Path):
    page = tmp_path / "mutants.md"
    lives, dies = (Mutant.of(b"x = a | b < 1", at, at + 1, b"0") for at in (4, 12))
    tried = [
        Tried(Path("a.py"), lives, Verdict.SURVIVED),
        Tried(Path("a.py"), dies, Verdict.KILLED),
        Tried(Path("a.sql"), dies, Verdict.INVALID),
    ]
    tests = {"jobs/a": ["tests/a"], "jobs/b": ["tests/b"]}
    write_report(page, {"jobs/a": tried, "jobs/b": tried[1:]}, tests=tests)
    assert len(open_survivors(page.read_text())) == 1
    page.write_text(page.read_text().replace("| **open** |", "| nobody reads it |"))

    write_report(page, {"jobs/a": tried}, tests=tests)

    text = page.read_text()
    assert open_survivors(text) == []
    assert "| nobody reads it |" in text
    assert "**All modules below: 3 mutants, 2 killed (66.7 %).**" in text
    assert "| jobs/b | 1 | 1 | 0 | 0 | 0 |" in text
