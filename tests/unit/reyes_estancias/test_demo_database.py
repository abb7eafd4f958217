"""A demo over a database that it cannot bring up to date says so, and what to do."""

from __future__ import annotations

from pathlib import Path

import pytest
from django.core.management.base import CommandError
from django.db.migrations.exceptions import InconsistentMigrationHistory

from reyes_estancias.management.commands import demo


def test_a_database_of_an_older_version_is_told_in_one_sentence(monkeypatch, settings, tmp_path: Path):
    settings.BASE_DIR = tmp_path

    def refuse(*_: object, **__: object) -> None:
        raise InconsistentMigrationHistory("bookings.0002_guards is applied before its dependency")

    monkeypatch.setattr(demo, "call_command", refuse)
    monkeypatch.setattr(demo, "open_home", lambda project: type("Home", (), {"path": project / "postgres"}))

    with pytest.raises(CommandError, match=f"'make stop', delete {tmp_path}/postgres, and begin again"):
        demo.Command()._migrate()
