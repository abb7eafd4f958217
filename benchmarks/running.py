"""Starting and stopping a peer around a measurement."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.peer import JobsNotDone, Peer

PATIENCE_SECONDS = 60.0
_WARM_UP_TOKENS = range(-5, 0)


@contextmanager
def running(peer: Peer, *, concurrency: int) -> Iterator[None]:
    """Run the peer's worker for the length of the block; its jobs are forgotten at the end."""
    try:
        peer.start(concurrency=concurrency)
        yield
    finally:
        peer.stop()


def warm_up(peer: Peer) -> None:
    """Return when the worker has run a few jobs, and is idle again."""
    for token in _WARM_UP_TOKENS:
        peer.send(token)
    read_stamps(peer, wanted=len(_WARM_UP_TOKENS))
    peer.stamps.unlink()


def read_stamps(peer: Peer, *, wanted: int) -> dict[int, float]:
    """Wait for so many ``STAMP`` jobs and return, by token, the instant each was reached.

    Raises:
        JobsNotDone: the time is up.
    """
    give_up_at = time.monotonic() + PATIENCE_SECONDS
    while len(stamps := _parse(peer.stamps)) < wanted:
        if time.monotonic() > give_up_at:
            raise JobsNotDone(peer=peer.name, done=len(stamps), failed=0, wanted=wanted, log=peer.log)
        time.sleep(0.05)
    return stamps


def _parse(path: Path) -> dict[int, float]:
    if not path.exists():
        return {}
    lines = path.read_text(encoding="ascii").split("\n")[:-1]
    return {int(token): float(reached) for token, reached in map(str.split, lines)}
