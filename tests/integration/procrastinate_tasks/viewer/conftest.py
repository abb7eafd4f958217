"""What the tests of the viewer's pages share."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from django.test import Client

from procrastinate_tasks.jobs import descriptions
from tests.integration.procrastinate_tasks.viewer.office import OPERATOR, staff_client


@pytest.fixture(autouse=True)
def _empty_static_root(settings: Any, tmp_path: Path) -> None:
    settings.STATIC_ROOT = tmp_path


@pytest.fixture(autouse=True)
def _nothing_registered(monkeypatch: pytest.MonkeyPatch) -> None:
    for registry in ("_presentations", "_resolvers"):
        empty: Any = type(getattr(descriptions, registry))()
        monkeypatch.setattr(descriptions, registry, empty)


@pytest.fixture
def viewer() -> Client:
    return staff_client("view_job", name="vera")


@pytest.fixture
def operator() -> Client:
    return staff_client(*OPERATOR, name="olga")
