"""What a task with ``pass_context`` is given: Procrastinate's context, and a way to tell its progress."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

from procrastinate import job_context

LONGEST_TEXT = 200


class Progress(NamedTuple):
    """How far a job has come, in its own units; ``total`` is None where it does not know."""

    job_id: int
    attempt: int
    done: float
    total: float | None = None
    text: str = ""


# Under this name a context holds who is told; under a plain Procrastinate worker nobody is.
LISTENER = "procrastinate_tasks.progress"


class JobContext(job_context.JobContext):
    """The execution context of a running job."""

    def progress(self, done: float, total: float | None = None, text: str = "") -> None:
        """Say how far the job has come; its page and ``jobs show`` tell it.

        Cheap: it may be said of every row. At most once a second it is stored, and in the end what was said
        last, outside the job's transaction.

        Args:
            text: what is being done, for people, of at most 200 characters; it is stored as it is.
        """
        tell: Callable[[Progress], None] | None = self.additional_context.get(LISTENER)
        if tell is None or self.job.id is None:
            return
        shown = str(text)[:LONGEST_TEXT].replace("\x00", "").encode("utf-8", "replace").decode()
        most = _finite(total)
        tell(Progress(self.job.id, self.job.attempts + 1, _finite(done) or 0.0, most, shown))


def _finite(number: float | None) -> float | None:
    """A share of nothing is no number, and no reason to end a job."""
    return None if number is None or not math.isfinite(number) else float(number)
