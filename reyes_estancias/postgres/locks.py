"""File locks between processes; the kernel drops them when their holder dies, so none is ever stale."""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from reyes_estancias.postgres.exceptions import DirectoryUnusable, LockTimeout

PATIENCE_SECONDS = 120.0


def acquire(path: Path, *, shared: bool = False, patience_seconds: float = PATIENCE_SECONDS) -> int:
    """Lock ``path`` and return the descriptor that holds the lock until it is closed.

    Raises:
        LockTimeout: somebody else held it for all of ``patience_seconds``.
        DirectoryUnusable: the file cannot be made.
    """
    give_up_at = time.monotonic() + patience_seconds
    while (descriptor := try_acquire(path, shared=shared)) is None:
        if time.monotonic() > give_up_at:
            raise LockTimeout(path=path, seconds=patience_seconds)
        time.sleep(0.05)
    return descriptor


def try_acquire(path: Path, *, shared: bool = False) -> int | None:
    """Lock ``path`` like :func:`acquire`, or return None at once when somebody else holds it.

    Raises:
        DirectoryUnusable: the file cannot be made.
    """
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
    except OSError as error:
        raise DirectoryUnusable(path=path.parent, reason=os.strerror(error.errno or 0)) from error
    try:
        fcntl.flock(descriptor, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        return None
    return descriptor


@contextmanager
def exclusive(path: Path) -> Iterator[None]:
    """Hold the only lock on ``path`` for the length of the block."""
    descriptor = acquire(path)
    try:
        yield
    finally:
        os.close(descriptor)
