"""Our backend, and Django's own that runs tasks at once, are held to the same promises."""

from __future__ import annotations

from django.test import TestCase, override_settings

from procrastinate_tasks.tasks_api import conformance
from procrastinate_tasks.tasks_api.api import BaseTaskBackend
from procrastinate_tasks.testing import drain_queue

OURS = "procrastinate_tasks.tasks_api.backend.ProcrastinateBackend"
# django.tasks.backends.… or, of the backport, django_tasks.backends.…
IMMEDIATE = f"{BaseTaskBackend.__module__.removesuffix('.base')}.immediate.ImmediateBackend"


@override_settings(TASKS={"default": {"BACKEND": OURS, "QUEUES": []}})
class OurBackendTest(conformance.TasksApiConformance, TestCase):
    def run_waiting_tasks(self) -> None:
        drain_queue()


@override_settings(TASKS={"default": {"BACKEND": OURS}, "at_once": {"BACKEND": IMMEDIATE}})
class DjangosBackendTest(conformance.TasksApiConformance, TestCase):
    backend = "at_once"


def test_its_mixin_runs_by_itself_nowhere():
    assert "TasksApiConformance" not in globals()
