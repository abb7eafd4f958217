"""Every use of Celery in a project is named, with its place, and nothing of the project is run."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

import procrastinate_tasks
from procrastinate_tasks.coming_from_celery.counterparts import SECTIONS, Fit, counterpart_of
from procrastinate_tasks.coming_from_celery.survey import Survey, look_through

PROJECT = {
    "shop/celery.py": """
from celery import Celery
from celery.signals import worker_process_init

def make():
    made = Celery("shop")
    made.config_from_object("django.conf:settings", namespace="CELERY")
    return made

app = make()
app.conf.task_acks_late = True
app.conf.update(worker_prefetch_multiplier=1)

@worker_process_init.connect
def begin(**kwargs): ...
""",
    "shop/__init__.py": "from .celery import app as celery_app\n",
    "shop/tasks.py": """
import celery
from celery import chain, shared_task
from shop import celery_app
from shop.bases import OurTask

@shared_task
def plain(): ...

@celery_app.task(bind=True, base=OurTask, max_retries=3, default_retry_delay=30)
def charge(self, booking_id):
    self.update_state(state="PROGRESS")
    raise self.retry(countdown=self.request.retries * 30)

@celery.shared_task(expires=60)
async def late(): ...
""",
    "shop/bases.py": """
from celery import Task

class Base(Task):
    def on_failure(self, *args): ...

class OurTask(Base): ...
""",
    "shop/views.py": """
from django.db import transaction
from shop import tasks
from shop.tasks import chain, charge

def pay(order):
    transaction.on_commit(lambda: charge.delay(order.pk, countdown=5))
    charge.apply_async(
        args=[order.pk],
        eta=order.due,
    )
    chain(charge.s(1), tasks.plain.si()).delay()
    return charge.AsyncResult("x")
""",
    "shop/settings.py": """
from celery.schedules import crontab

INSTALLED_APPS = ["django_celery_beat", "shop"]
CELERY_BROKER_URL = "redis://"
CELERYD_CONCURRENCY = 4
CELERY_BEAT_SCHEDULE = {
    "scan": {"task": "shop.tasks.plain", "schedule": crontab(minute="*/15"), "options": {"expires": 5}},
    "often": {"task": "shop.tasks.plain", "schedule": 90.0},
}
""",
    "shop/tests.py": """
from unittest.mock import patch
from django.test import override_settings

@override_settings(CELERY_TASK_ALWAYS_EAGER=True)
@patch("shop.tasks.charge.delay")
@patch("shop.views.chain")
def test(mock): ...
""",
    "shop/innocent.py": '''
"""Celery is a vegetable: charge.delay()."""
import apply_async_free

class Train:
    delay_minutes = 5
    retry = None

def s(value): return Train().retry, value.s, "celery soup"
''',
    "Procfile": "worker: celery -A shop worker -l info\nbeat: celery -A shop beat\n# celery -A shop flower\n",
    "requirements.txt": "celery[redis]==5.6\ndjango-celery-beat>=2\ncelery_soup==1\nredis\n",
}


def write(root: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    return root


@pytest.fixture
def survey(tmp_path: Path) -> Survey:
    return look_through(write(tmp_path, PROJECT))


def keys_in(survey: Survey, path: str) -> set[str]:
    return {use.key for use in survey.uses if use.path == path}


def test_the_application_is_followed_through_functions_and_imports(survey: Survey):
    assert keys_in(survey, "shop/celery.py") >= {
        *("celery.Celery", "app.config_from_object", "app.conf"),
        *(
            "celery.signals.worker_process_init",
            "setting.task_acks_late",
            "setting.worker_prefetch_multiplier",
        ),
    }
    assert keys_in(survey, "shop/__init__.py") == {"app"}


def test_each_option_of_a_task_is_a_use_of_its_own(survey: Survey):
    assert keys_in(survey, "shop/tasks.py") == {
        *("celery", "celery.chain", "app", "task", "task.bind", "task.base", "task.max_retries"),
        *("task.default_retry_delay", "task.expires", "bound.update_state", "bound.retry", "bound.request"),
    }


def test_classes_of_tasks_are_followed_to_their_heirs(survey: Survey):
    assert {use.text for use in survey.uses if use.key == "task.class"} == {"class Base", "class OurTask"}
    assert "bound.on_failure" in keys_in(survey, "shop/bases.py")


def test_calls_are_named_with_their_options_at_their_own_lines(survey: Survey):
    assert {(use.line, use.key) for use in survey.uses if use.path == "shop/views.py"} == {
        *(
            (4, "celery.chain"),
            (7, "call.delay"),
            (8, "call.apply_async"),
            (9, "call.args"),
            (10, "call.eta"),
        ),
        *((12, "celery.chain"), (12, "canvas.signature"), (12, "call.delay"), (13, "celery.result")),
    }


def test_settings_new_and_old_and_each_entry_of_the_schedule_are_named(survey: Survey):
    assert {(use.line, use.key) for use in survey.uses if use.path == "shop/settings.py"} == {
        *((2, "celery.schedules.crontab"), (4, "package.django_celery_beat"), (5, "setting.broker_url")),
        *((6, "setting.worker_concurrency"), (7, "setting.beat_schedule"), (8, "schedule.entry")),
        *(
            (8, "celery.schedules.crontab"),
            (8, "schedule.options"),
            (9, "schedule.entry"),
            (9, "schedule.interval"),
        ),
    }


def test_what_tests_switch_and_mock_is_named(survey: Survey):
    assert {(use.line, use.key) for use in survey.uses if use.path == "shop/tests.py"} == {
        *((5, "test.eager"), (6, "test.mock"), (7, "test.mock")),
    }


def test_programs_and_packages_are_named(survey: Survey):
    assert keys_in(survey, "Procfile") == {"command.worker", "command.beat"}
    assert keys_in(survey, "requirements.txt") == {"dependency.celery", "dependency.django-celery-beat"}


def test_what_only_looks_like_celery_is_left_alone(survey: Survey):
    assert keys_in(survey, "shop/innocent.py") == set()


def test_a_project_without_celery_has_no_use(tmp_path: Path):
    assert look_through(write(tmp_path, {"shop/innocent.py": PROJECT["shop/innocent.py"]})).uses == ()


@pytest.mark.parametrize(
    "code",
    [
        b"except A, B:\n    celery.delay()\n",
        b"x = 1\0\ncelery\n",
        b"(" * 100_000 + b"\ncelery\n",
        b"\xff\xfe\ncelery\n",
        b"x = 1\n" * 400_000,
    ],
    ids=["of another Python", "a null byte", "too deep", "of no encoding", "too large"],
)
def test_a_file_that_cannot_be_parsed_is_told_its_lines_are_named_and_the_others_are_read(
    tmp_path: Path, code: bytes
):
    write(tmp_path, PROJECT)
    (tmp_path / "odd.py").write_bytes(code)

    survey = look_through(tmp_path)

    assert [problem.path for problem in survey.unreadable] == ["odd.py"]
    assert keys_in(survey, "odd.py") == ({"unparsed"} if b"celery" in code else set())
    assert "task" in keys_in(survey, "shop/tasks.py")


def test_names_that_lead_in_circles_end(tmp_path: Path):
    circle = {"a.py": "from b import x\nx = x.y\n", "b.py": "from a import x\ny = y\ny.delay()\n"}

    assert [use.key for use in look_through(write(tmp_path, circle)).uses] == ["call.delay"]


def test_environments_hidden_folders_links_and_pipes_are_passed_over(tmp_path: Path):
    code = {f"{folder}/tasks.py": "import celery\n" for folder in ("env", ".tox", "node_modules")}
    write(tmp_path, {**code, "env/pyvenv.cfg": ""})
    (tmp_path / "loop").symlink_to(tmp_path)
    os.mkfifo(tmp_path / "pipe.py")

    assert look_through(tmp_path) == Survey((), (), 0)


def test_one_file_can_be_looked_at(tmp_path: Path):
    write(tmp_path, PROJECT)

    assert {use.path for use in look_through(tmp_path / "shop" / "settings.py").uses} == {"settings.py"}


@pytest.mark.parametrize(
    ("key", "shown"),
    [
        ("task.max_retries", "max_retries="),
        ("task.unheard_of", "any other option of a task"),
        ("call.unheard_of", "any other option of a call"),
        ("setting.unheard_of", "any other setting"),
        ("celery.unheard_of", "anything else of Celery"),
        ("app.control.unheard_of", "other remote control"),
        ("app.unheard_of", "anything else of the app"),
        ("celery.signals.task_prerun", "task_prerun"),
        ("celery.signals.unheard_of", "other signals"),
        ("package.django_celery_beat", "django-celery-beat"),
        ("integration.sentry_sdk.integrations.celery", "other packages' parts"),
        ("command.unheard_of", "other commands"),
        ("unheard_of", "anything else of Celery"),
    ],
)
def test_each_key_has_a_row_and_the_unheard_of_has_none_here(key: str, shown: str):
    row = counterpart_of(key)

    assert shown in row.celery
    assert row.fit is Fit.NONE or "unheard_of" not in key


def test_no_key_stands_in_two_rows():
    keys = [key for rows in SECTIONS.values() for row in rows for key in row.keys]

    assert len(keys) == len(set(keys))


def test_what_a_row_imports_of_ours_is_at_the_front_door():
    shown = " ".join(row.here for rows in SECTIONS.values() for row in rows)

    named = set(re.findall(r"`(?:raise |@)?([A-Z]\w+)\(", shown))

    assert {"Retries", "QueueLimit", "Retry", "Snooze"} <= named
    assert named <= set(procrastinate_tasks.__all__)
