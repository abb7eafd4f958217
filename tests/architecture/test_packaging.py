"""What a fresh machine installs and sets: the locks, ``.env.example``, gunicorn, the migrations."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import tomllib
from typing import Any

import pytest
from django.core.management import call_command
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.architecture.source import REPOSITORY, committed_files, imported_modules, parse

# gunicorn reads these by itself
READ_BY_GUNICORN = {"PORT", "WEB_CONCURRENCY"}


def read_lock(name: str) -> dict[str, str]:
    """Return each locked package's version."""
    pins = re.findall(r"^([\w.-]+)==([^\s;]+)", (REPOSITORY / name).read_text(), flags=re.MULTILINE)
    return dict(pins)


def project_table() -> dict[str, Any]:
    """Return pyproject.toml's table of that name."""
    project: dict[str, Any] = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]
    return project


def declared_dependencies() -> tuple[list[Requirement], list[Requirement]]:
    """Return what the project and what its development needs, as pyproject.toml says."""
    project = project_table()
    development = project["optional-dependencies"]["dev"]
    return [Requirement(line) for line in project["dependencies"]], [
        Requirement(line) for line in development
    ]


@pytest.mark.parametrize("name", ["requirements.txt", "requirements-dev.txt"])
def test_a_lock_pins_hashes_and_names_no_host_and_no_path(name: str):
    text = (REPOSITORY / name).read_text()

    assert len(read_lock(name)) > 10
    assert len(read_lock(name)) == len(re.findall(r"==.*\\\n(?:    --hash=sha256:\w{64}(?: \\)?\n)+", text))
    assert re.findall(r"://|--index|--find-links|@ |file:|^-e|^/", text, flags=re.MULTILINE) == []


def test_the_development_lock_holds_the_production_lock():
    production, development = read_lock("requirements.txt"), read_lock("requirements-dev.txt")

    assert production.items() <= development.items()
    assert "pytest" not in production


def test_the_queue_app_declares_what_it_imports_as_the_project_does():
    project, _ = declared_dependencies()
    package = tomllib.loads((REPOSITORY / "procrastinate_tasks" / "pyproject.toml").read_text())["project"]
    ranges = {one.name: str(one.specifier) for one in map(Requirement, package["dependencies"])}
    extras = package["optional-dependencies"]

    assert ranges.items() <= {one.name: str(one.specifier) for one in project}.items()
    assert extras == {name: project_table()["optional-dependencies"][name] for name in extras}
    declared = {*ranges, *extras} | {"asgiref", "psycopg_pool", "pytest", "sentry_sdk", "django_tasks"}
    assert third_parties_of("procrastinate_tasks") - declared == set()


def third_parties_of(package: str) -> set[str]:
    modules = {
        module.partition(".")[0]
        for path in (REPOSITORY / package).rglob("*.py")
        for _, module in imported_modules(parse(path))
    }
    return modules - sys.stdlib_module_names - {package}


def test_the_queue_app_s_package_lists_its_every_folder_with_python():
    tool = tomllib.loads((REPOSITORY / "procrastinate_tasks" / "pyproject.toml").read_text())["tool"]
    folders = {
        path.parent.relative_to(REPOSITORY).as_posix().replace("/", ".")
        for path in committed_files()
        if path.name == "__init__.py" and path.is_relative_to(REPOSITORY / "procrastinate_tasks")
    }

    assert set(tool["setuptools"]["packages"]) == folders


def test_the_locks_fit_what_the_project_declares():
    project, development = declared_dependencies()

    for lock, requirements in (
        (read_lock("requirements.txt"), project),
        (read_lock("requirements-dev.txt"), project + development),
    ):
        unmet = [
            str(one) for one in requirements if lock.get(canonicalize_name(one.name), "") not in one.specifier
        ]
        assert unmet == []


def test_the_lock_stays_on_the_long_term_release_of_django():
    assert read_lock("requirements.txt")["django"].startswith("5.2.")


def test_the_example_environment_lists_every_variable_that_is_read():
    listed = set(
        re.findall(r"^(?:# )?([A-Z][A-Z_]+)=", (REPOSITORY / ".env.example").read_text(), flags=re.MULTILINE)
    )

    read = {
        ast.literal_eval(call.args[0])
        for call in ast.walk(parse(REPOSITORY / "reyes_estancias" / "settings.py"))
        if isinstance(call, ast.Call) and re.match(r"env(\.|$)", ast.unparse(call.func)) and call.args
    }

    assert listed == read | READ_BY_GUNICORN


def test_each_variable_stands_once_in_the_example_environment():
    listed = re.findall(
        r"^(?:# )?([A-Z][A-Z_]+)=\S*$", (REPOSITORY / ".env.example").read_text(), flags=re.MULTILINE
    )

    assert listed
    assert [name for name in listed if listed.count(name) > 1] == []


def test_the_hooks_before_a_commit_are_tools_that_make_check_runs():
    hooks = re.findall(r"entry: (\S+)", (REPOSITORY / ".pre-commit-config.yaml").read_text())
    makefile = (REPOSITORY / "Makefile").read_text()

    assert hooks
    assert [hook for hook in hooks if hook.replace(".venv", "$(VENV)", 1) not in makefile] == []


def test_the_hosted_workflow_runs_what_ci_runs_on_each_python_that_the_package_names():
    (workflow,) = (REPOSITORY / ".github" / "workflows").iterdir()
    text = workflow.read_text()
    package = tomllib.loads((REPOSITORY / "procrastinate_tasks" / "pyproject.toml").read_text())["project"]
    named = set(re.findall(r"Python :: (3\.\d+)", "\n".join(package["classifiers"])))
    locked, newest = re.findall(r"python: (\[.+\])", text)

    assert re.findall(r"run: (.+)", text) == ["bash .ci/run", "bash .ci/run newest"]
    assert named <= set(ast.literal_eval(locked))
    assert (REPOSITORY / ".python-version").read_text().strip() in ast.literal_eval(locked)
    assert min(ast.literal_eval(newest)) == "3.12"  # Django 6 needs it


def test_gunicorn_accepts_its_configuration_and_finds_the_site():
    (web,) = re.findall(r"^web: gunicorn (.*)$", (REPOSITORY / "Procfile").read_text(), flags=re.MULTILINE)

    result = subprocess.run(
        ["sh", "-c", f"{sys.executable} -m gunicorn {web} --check-config"],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=False,
    )

    assert (result.returncode, result.stderr) == (0, "")


@pytest.mark.django_db
def test_every_model_change_has_its_migration():
    call_command("makemigrations", check=True, dry_run=True)
