"""An alert as it is remembered, and a notice of it as it goes out; both are rows, of ``models``."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Alert:
    """A fault that is seen: watched at first, told at ``fired_at``, not seen any more since ``calm_since``.

    ``subject`` is the queue, worker or the like; nothing where the rule has but one.
    """

    rule: str
    subject: str
    sentence: str
    seen_at: datetime
    fired_at: datetime | None = None
    calm_since: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """What one channel tells: a fault, or its end. ``tries`` counts the present one."""

    id: int
    channel: str
    rule: str
    subjects: tuple[str, ...]
    has_recovered: bool
    title: str
    text: str
    created_at: datetime
    tries: int
