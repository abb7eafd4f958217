"""``manage.py migrate_from_celery --check PATH``: what it prints, and how it ends."""

from __future__ import annotations

import json
from io import StringIO
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command


def check(path: Path, *options: str) -> tuple[int, str]:
    out = StringIO()
    try:
        call_command("migrate_from_celery", "--check", str(path), *options, stdout=out)
    except SystemExit as end:
        return int(str(end.code)), out.getvalue()
    return 0, out.getvalue()


def test_where_everything_has_a_counterpart_it_ends_well(tmp_path: Path):
    (tmp_path / "tasks.py").write_text("from celery import shared_task\n\n@shared_task\ndef scan(): ...\n")

    code, text = check(tmp_path)

    assert code == 0
    assert "2 uses of Celery in 1 files: 2 same, 0 partly, 0 needless, 0 none." in text
    assert "-> `@task` of `procrastinate_tasks`" in text
    assert "tasks.py:3: shared_task" in text


def test_what_has_no_counterpart_comes_first_and_is_told_by_the_exit_code(tmp_path: Path):
    (tmp_path / "tasks.py").write_text("from celery import chord, shared_task\n")

    code, text = check(tmp_path)

    assert code == 1
    assert text.index("Has no counterpart") < text.index("chord(…)") < text.index("Is here")


def test_a_file_that_cannot_be_read_is_told_by_the_exit_code(tmp_path: Path):
    (tmp_path / "odd.py").write_text("except A, B:\n")

    code, text = check(tmp_path)

    assert code == 2
    assert "Not read: odd.py: SyntaxError" in text


def test_a_project_without_celery_is_told_so(tmp_path: Path):
    (tmp_path / "models.py").write_text("x = 1\n")

    assert check(tmp_path) == (0, "No use of Celery in 1 files.\n")


def test_json_has_the_same_with_each_place(tmp_path: Path):
    (tmp_path / "tasks.py").write_text("from celery import chain\n")

    code, text = check(tmp_path, "--json")

    assert code == 1
    (use,) = json.loads(text)["uses"]
    assert (use["path"], use["line"], use["fit"]) == ("tasks.py", 1, "none")
    assert json.loads(text)["counts"] == {"same": 0, "partly": 0, "needless": 0, "none": 1}


def test_a_path_that_does_not_exist_is_one_line(tmp_path: Path):
    with pytest.raises(CommandError, match=r"There is no .*nowhere"):
        check(tmp_path / "nowhere")
