"""What a task returned or raised is stored, whatever it was."""

from __future__ import annotations

import pytest

from procrastinate_tasks.jobs.deferring import defer
from procrastinate_tasks.models import JobAttempt
from procrastinate_tasks.testing import drain_queue
from tests.integration.procrastinate_tasks import sample_tasks

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize(
    ("result", "stored"),
    [
        ("text", "text"),
        (None, None),
        ({"a": [1, 2.5, True]}, {"a": [1, 2.5, True]}),
        ({1, 2}, "{1, 2}"),
        (float("nan"), "nan"),
        ("nul \x00 byte", "nul \ufffd byte"),
        ("half \ud83d pair", "half ? pair"),
        ("x" * 20_000, "(20002 bytes: more than PROCRASTINATE_TASKS_MAX_RESULT_BYTES)"),
    ],
)
def test_any_return_value_can_be_stored(monkeypatch: pytest.MonkeyPatch, result: object, stored: object):
    monkeypatch.setattr(sample_tasks, "RESULT", [result])
    defer("sample.return_whatever")

    assert drain_queue().succeeded == 1
    assert JobAttempt.objects.get().result == stored


def test_an_exception_with_a_nul_byte_can_be_stored(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(sample_tasks, "RESULT", ["nul \x00 byte"])
    defer("sample.raise_text")

    assert drain_queue().failed == 1
    assert JobAttempt.objects.get().message == "nul  byte"
