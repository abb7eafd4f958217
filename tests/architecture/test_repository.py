"""Rules for what lies in the repository, whatever its kind."""

from __future__ import annotations

import re

from tests.architecture.source import REPOSITORY, committed_files

TOP_LEVEL = {
    ".ci",
    ".editorconfig",
    ".env.example",
    ".gitattributes",
    ".github",
    ".gitignore",
    ".pre-commit-config.yaml",
    ".python-version",
    "CHANGELOG.md",
    "CONTRIBUTING.md",
    "LICENSE",
    "Makefile",
    "Procfile",
    "README.md",
    "SECURITY.md",
    "benchmarks",
    "bookings",
    "docs",
    "manage.py",
    "payments",
    "procrastinate_tasks",
    "pyproject.toml",
    "requirements-dev.txt",
    "requirements.txt",
    "reyes_estancias",
    "tests",
}
MACHINE_PATH = re.compile(r"(?<![\w.~-])/(?:work|farm|root|home|Users)/\w")
# Spelled in two parts, else this file would break its own rule.
PACKAGE_INDEX = re.compile(
    "|".join(["pypi" + r"\.org", "python" + "hosted", r"registry\." + "npmjs", r"deb\." + "debian"])
)


def lines_that_match(pattern: re.Pattern[str]) -> list[str]:
    return [
        f"{path.relative_to(REPOSITORY)}:{number}"
        for path in committed_files()
        for number, line in enumerate(
            path.read_text(encoding="utf-8", errors="replace").splitlines(), start=1
        )
        if pattern.search(line)
    ]


def test_nothing_unexpected_is_committed_at_the_top():
    """A file of one's own, a log or an editor's folder, is nobody's business until it is added."""
    names = {path.relative_to(REPOSITORY).parts[0] for path in committed_files(and_new=False)}

    assert names - TOP_LEVEL == set()


def test_no_file_names_a_path_of_one_machine():
    assert lines_that_match(MACHINE_PATH) == []


def test_no_file_names_a_package_index():
    assert lines_that_match(PACKAGE_INDEX) == []
