"""The tiny project, made once a session and emptied for each test."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from django.conf import settings

from tests.acceptance.procrastinate_tasks.package import build_wheel
from tests.acceptance.tiny import TinyProject, tiny_project


@pytest.fixture(scope="session")
def _tiny_session(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TinyProject]:
    log_path = tmp_path_factory.mktemp("tiny") / "worker.log"
    with tiny_project(server=settings.DATABASES["default"], log_path=log_path) as project:
        yield project


@pytest.fixture
def tiny(_tiny_session: TinyProject) -> Iterator[TinyProject]:
    _tiny_session.forget_everything()
    yield _tiny_session
    _tiny_session.stop_workers()


@pytest.fixture(scope="session")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The queue app's package, as it would be uploaded."""
    return build_wheel(tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("built"))
