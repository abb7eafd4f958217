"""The queue app as a package of its own: built, installed without a network, used by a bare project."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from email import message_from_string
from pathlib import Path

import pytest
from django.conf import settings

from tests.acceptance.procrastinate_tasks.package import PACKAGE, lend_dependencies, run
from tests.acceptance.tiny import TinyProject, drop, of_the_server, recreate, wait_until
from tests.architecture.source import REPOSITORY, committed_files

NOT_INSTALLED = {"LICENSE", "README.md", "pyproject.toml"}
SETTINGS = """
INSTALLED_APPS[0] = "project.apps.OfficeConfig"
INSTALLED_APPS += ["procrastinate.contrib.django", "procrastinate_tasks", "shop"]
DATABASES = {"default": {"ENGINE": "django.db.backends.postgresql", "NAME": "%s"}}
LANGUAGE_CODE = "es-mx"
"""
OFFICE = """
from django.contrib.admin.apps import AdminConfig


class OfficeConfig(AdminConfig):
    default_site = "procrastinate_tasks.viewer.site.JobViewerSite"
"""
TASKS = """
from procrastinate_tasks import periodic, task


@task
def double(number: int) -> int:
    return 2 * number


@periodic(cron="* * * * * *")
@task
def tick() -> str:
    return "ticked"
"""
DEFER = "from procrastinate_tasks import defer; print(defer('shop.tasks.double', {'number': 2}))"
VIEWER = """
from django.contrib.auth.models import User
from django.contrib.staticfiles import finders
from django.test import Client
from django.urls import reverse

client = Client(headers={"host": "localhost"})
client.force_login(User.objects.create_superuser("ana"))
page = client.get(reverse("admin:queue_dashboard"))
text = page.content.decode()
print(page.status_code, "Tablero" in text, "viewer.css" in text)
print(finders.find("procrastinate_tasks/viewer.css"))
"""


@dataclass(frozen=True)
class Shop:
    """A project on a database of its own, in an environment that has the package and not this repository."""

    folder: Path
    python: Path
    database: TinyProject

    def manage(self, *arguments: str) -> str:
        """Run a management command, each warning an error, and return what it printed."""
        done = subprocess.run(
            [self.python, "-W", "error", "manage.py", *arguments],
            cwd=self.folder,
            env=self.database.environment,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout


@pytest.fixture(scope="module")
def shop(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    """A bare project of Django's, with an app, its tasks and the viewer's site."""
    folder = tmp_path_factory.mktemp("shop")
    python = environment_with(wheel, folder / "venv")
    server = settings.DATABASES["default"]
    name = f"{server['NAME']}_shop_{os.getpid()}"
    environment = {key: value for key, value in of_the_server(server).items() if not key.startswith("PYTHON")}
    environment.pop("DJANGO_SETTINGS_MODULE", None)
    admin, database = (
        TinyProject(environment={**environment, "PGDATABASE": each}, log_path=folder / "worker.log")
        for each in ("postgres", name)
    )
    recreate(admin, name)
    run(python, "-m", "django", "startproject", "project", str(folder), cwd=folder)
    run(python, "-m", "django", "startapp", "shop", cwd=folder)
    with (folder / "project" / "settings.py").open("a") as file:
        file.write(SETTINGS % name)
    (folder / "project" / "apps.py").write_text(OFFICE)
    (folder / "shop" / "tasks.py").write_text(TASKS)
    project = Shop(folder=folder, python=python, database=database)
    try:
        project.manage("migrate", "-v0")
        yield project
    finally:
        drop(admin, name)


def environment_with(wheel: Path, folder: Path) -> Path:
    """Make an environment with the wheel, and with what the tests have installed; return its interpreter."""
    run(sys.executable, "-m", "venv", "--without-pip", str(folder), cwd=folder.parent)
    python = folder / "bin" / "python"
    lend_dependencies(folder)
    pip = [sys.executable, "-m", "pip", "--python", str(python), "install", "--quiet"]
    run(*pip, "--no-index", "--no-deps", str(wheel), cwd=folder)
    return python


def test_the_wheel_holds_every_file_of_the_app_and_nothing_else(wheel: Path):
    kept = {path.relative_to(REPOSITORY).as_posix() for path in committed_files()}
    wanted = {name for name in kept if name.startswith("procrastinate_tasks/")}

    installed = {name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name}

    assert installed == wanted - {f"procrastinate_tasks/{name}" for name in NOT_INSTALLED}


def test_it_says_what_it_is(wheel: Path):
    archive = zipfile.ZipFile(wheel)
    (name,) = [name for name in archive.namelist() if name.endswith(".dist-info/METADATA")]
    metadata = message_from_string(archive.read(name).decode())

    assert (metadata["Name"], metadata["License-Expression"]) == ("procrastinate-tasks", "MIT")
    assert set(metadata.get_all("Provides-Extra", [])) == {"django-tasks", "sentry"}
    assert str(metadata.get_payload()).startswith("# procrastinate_tasks")
    assert (
        archive.read(name.replace("METADATA", "licenses/LICENSE")).decode()
        == (PACKAGE / "LICENSE").read_text()
    )


def test_pytest_finds_its_plugin(shop: Shop):
    done = run(shop.python, "-m", "pytest", "--ds=project.settings", "--fixtures", cwd=shop.folder)

    assert "procrastinate_queue_is_emptied" in done


def test_a_bare_project_is_checked_and_lacks_no_migration(shop: Shop):
    where = shop.manage(
        "shell", "-v0", "-c", "import procrastinate_tasks; print(procrastinate_tasks.__file__)"
    )

    assert Path(where.strip()).is_relative_to(shop.folder / "venv")
    assert "no issues" in shop.manage("check")
    assert "No changes detected" in shop.manage("makemigrations", "--check", "--dry-run")


def test_a_bare_project_s_worker_runs_a_job_and_the_ticks_of_a_schedule(shop: Shop):
    deferred = shop.manage("shell", "-v0", "-c", DEFER)
    with (shop.folder / "worker.log").open("wb") as log:
        worker = subprocess.Popen(
            [shop.python, "-W", "error", "manage.py", "procrastinate", "worker"],
            cwd=shop.folder,
            env=shop.database.environment,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        wait_until(lambda: shop.database.outcomes(int(deferred)) == ["succeeded"], what="the job ran")
        wait_until(lambda: ticks(shop) >= 2, what="the schedule deferred two ticks, and they ran")
        worker.send_signal(signal.SIGTERM)
        assert worker.wait(60) == 0
    finally:
        if worker.poll() is None:
            os.killpg(worker.pid, signal.SIGKILL)
            worker.wait(60)
    assert "Warning" not in (shop.folder / "worker.log").read_text(), "none is raised, nor passed over"


def ticks(shop: Shop) -> int:
    count: int = shop.database.value(
        "SELECT count(*) FROM procrastinate_jobs WHERE task_name = 'shop.tasks.tick' AND status = 'succeeded'"
    )
    return count


def test_a_bare_project_shows_the_viewer_in_its_language_with_its_style(shop: Shop):
    answer, style = shop.manage("shell", "-v0", "-c", VIEWER).splitlines()[-2:]

    assert answer == "200 True True"
    assert Path(style).is_relative_to(shop.folder / "venv")
