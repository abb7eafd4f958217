"""Requests that are still coming in: how much of one is there, and whether it may go on.

Reads only as much of a head as tells where the request ends; what it says is for gunicorn to judge.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from enum import IntEnum

MOST_HEAD = 32 * 1024
MOST_BODY = 512 * 1024
# Staff upload photos at this address, and nobody anything at another.
MOST_PHOTO = 9 * 1024 * 1024

_END_OF_HEAD = b"\r\n\r\n"
_LENGTH = re.compile(rb"\r\ncontent-length:[ \t]*(\d{1,18})[ \t]*(?=\r\n)", re.IGNORECASE)
_PHOTO = re.compile(rb"POST /admin/bookings/propertyphoto/add/[ ?]")
_CHUNKED = re.compile(rb"\r\ntransfer-encoding:", re.IGNORECASE)
_CONTINUE = re.compile(rb"\r\nexpect:[ \t]*100-continue", re.IGNORECASE)


class Verdict(IntEnum):
    """What to do with a request: wait for the rest, hand it over, or refuse it with this status."""

    WAIT = 0
    COMPLETE = 200
    LENGTH_REQUIRED = 411
    BODY_TOO_LARGE = 413
    HEAD_TOO_LARGE = 431


@dataclass(slots=True)
class Arrival:
    """A request that is coming in.

    Attributes:
        deadline: when it must be there, in seconds of the monotonic clock.
        wants_permission: its client waits for ``100 Continue`` before it sends the body.
    """

    deadline: float
    data: bytearray = field(default_factory=bytearray)
    wants_permission: bool = False
    _ends_at: int = 0

    def take(self, data: bytes) -> Verdict:
        """Add what has come, and say what follows from it."""
        looked_through = max(len(self.data) - len(_END_OF_HEAD) + 1, 0)
        self.data += data
        if not self._ends_at:
            head_ends_at = self.data.find(_END_OF_HEAD, looked_through)
            if head_ends_at < 0:
                return Verdict.HEAD_TOO_LARGE if len(self.data) > MOST_HEAD else Verdict.WAIT
            refusal = self._read_head(head_ends_at)
            if refusal is not None:
                return refusal
        return Verdict.COMPLETE if len(self.data) >= self._ends_at else Verdict.WAIT

    def _read_head(self, ends_at: int) -> Verdict | None:
        head = bytes(self.data[: ends_at + 2])
        if ends_at > MOST_HEAD:
            return Verdict.HEAD_TOO_LARGE
        if _CHUNKED.search(head):
            return Verdict.LENGTH_REQUIRED
        length = max((int(found) for found in _LENGTH.findall(head)), default=0)
        if length > (MOST_PHOTO if _PHOTO.match(head) else MOST_BODY):
            return Verdict.BODY_TOO_LARGE
        self._ends_at = ends_at + len(_END_OF_HEAD) + length
        self.wants_permission = _CONTINUE.search(head) is not None
        return None
