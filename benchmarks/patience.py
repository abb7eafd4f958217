"""Waiting for something to come true, with a deadline."""

from __future__ import annotations

import time
from collections.abc import Callable


class DidNotHappen(Exception):
    """What a benchmark waited for did not come true."""

    def __init__(self, *, what: str, seconds: float) -> None:
        self.what, self.seconds = what, seconds
        super().__init__(f"{what}: not within {seconds:.0f} s")


def wait_until(is_so: Callable[[], bool], *, what: str, within: float = 60.0) -> None:
    """Return once ``is_so`` is true.

    Args:
        what: what is waited for, for the complaint.
        within: seconds.

    Raises:
        DidNotHappen: it did not become true in time.
    """
    deadline = time.monotonic() + within
    while not is_so():
        if time.monotonic() > deadline:
            raise DidNotHappen(what=what, seconds=within)
        time.sleep(0.05)
