"""How the demo is interrupted: by Ctrl-C, by ``make stop``, by a terminal that closes."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def end_when_interrupted() -> None:
    """Raise ``KeyboardInterrupt`` at any of the three."""
    for number in _SIGNALS:
        signal.signal(number, _end)


def let_nothing_interrupt() -> None:
    """Ignore all three from here on."""
    for number in _SIGNALS:
        signal.signal(number, signal.SIG_IGN)


@contextmanager
def uninterrupted() -> Iterator[None]:
    """Have what would interrupt a ``with`` block wait for its end.

    A process must not be started without its end being seen to: an interruption in between would leave it
    running. Signals are not blocked, which the process would inherit.
    """
    came: list[int] = []
    before = {number: signal.getsignal(number) for number in _SIGNALS}
    for number in _SIGNALS:
        signal.signal(number, lambda number, _: came.append(number))
    try:
        yield
    finally:
        for known, handler in before.items():
            signal.signal(known, handler)
        if came:
            signal.raise_signal(came[0])


def _end(number: int, frame: FrameType | None) -> None:
    """End as at Ctrl-C, also when the terminal closes; what is stopped then is not interrupted again."""
    let_nothing_interrupt()
    raise KeyboardInterrupt
