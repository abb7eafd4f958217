"""What the integration tests of the queue app share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.integration.procrastinate_tasks import sample_tasks


@pytest.fixture(autouse=True)
def _forget_calls() -> Iterator[None]:
    sample_tasks.CALLS.clear()
    yield
