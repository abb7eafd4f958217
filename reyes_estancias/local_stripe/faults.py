"""Faults that a test arms: which requests they hit, and what they do to them."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import StrEnum
from fnmatch import fnmatchcase

from reyes_estancias.local_stripe.errors import (
    ApiError,
    Conflict,
    Document,
    LockTimeout,
    RateLimited,
    RevokedApiKey,
    Unavailable,
)


class FaultKind(StrEnum):
    """``before`` and ``after`` say whether the request was carried out when the fault strikes.

    ``stale`` answers a GET of one object with what it was before its last change, as a replica that lags
    does. The four before it answer 200 to what was carried out: half a body, none, an object without its
    fields, and one whose fields have other names, as after a release of Stripe's that nobody has read of.
    """

    RATE_LIMITED = "rate_limited"
    UNAVAILABLE = "unavailable"
    LOCK_TIMEOUT = "lock_timeout"
    CONFLICT = "conflict"
    UNAUTHORIZED = "unauthorized"
    ERROR_BEFORE = "error_before"
    ERROR_AFTER = "error_after"
    RESET_BEFORE = "reset_before"
    RESET_AFTER = "reset_after"
    SLOW_BEFORE = "slow_before"
    SLOW_AFTER = "slow_after"
    TRUNCATED = "truncated"
    EMPTY = "empty"
    BARE = "bare"
    RENAMED = "renamed"
    STALE = "stale"


REFUSALS: dict[FaultKind, Callable[[], ApiError]] = {
    FaultKind.RATE_LIMITED: RateLimited,
    FaultKind.UNAVAILABLE: Unavailable,
    FaultKind.LOCK_TIMEOUT: LockTimeout,
    FaultKind.CONFLICT: Conflict,
    FaultKind.UNAUTHORIZED: RevokedApiKey,
}


def distort(body: str, fault: Fault | None) -> str:
    """Return an answer's body as a fault leaves it."""
    match fault.kind if fault else None:
        case FaultKind.TRUNCATED:
            return body[: len(body) // 2]
        case FaultKind.EMPTY:
            return ""
        case FaultKind.BARE:
            return "{}"
        case FaultKind.RENAMED:
            return json.dumps({_rename(name): value for name, value in json.loads(body).items()})
    return body


def _rename(name: str) -> str:
    return name if name in ("id", "object", "error") else f"{name}_v2"


@dataclass(frozen=True, slots=True)
class Fault:
    """Strikes the next ``count`` requests whose method and path match (``*`` stands for anything).

    ``seconds`` is how long a slow one takes; ``skip`` lets that many matching requests pass first.
    """

    kind: FaultKind
    method: str = "*"
    path: str = "*"
    count: int = 1
    skip: int = 0
    seconds: float = 0.0

    def matches(self, method: str, path: str) -> bool:
        return fnmatchcase(method, self.method) and fnmatchcase(path, self.path)


class InvalidFault(Exception):
    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(f"this is no fault: {reason}; kinds are {', '.join(FaultKind)}")


def parse_fault(document: Document) -> Fault:
    """Read a fault from JSON.

    Raises:
        InvalidFault: an unknown kind or field.
    """
    try:
        return Fault(**{**document, "kind": FaultKind(document["kind"])})
    except (KeyError, TypeError, ValueError) as error:
        raise InvalidFault(str(error)) from None


def strike(faults: list[Fault], *, method: str, path: str) -> Fault | None:
    """Return the first armed fault that hits this request, and use it up by one."""
    for index, fault in enumerate(faults):
        if not fault.matches(method, path):
            continue
        if fault.skip > 0:
            faults[index] = replace(fault, skip=fault.skip - 1)
            continue
        if fault.count > 1:
            faults[index] = replace(fault, count=fault.count - 1)
        else:
            del faults[index]
        return fault
    return None
