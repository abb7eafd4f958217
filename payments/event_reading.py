"""A webhook's body, read as far as it can be: what Stripe signed is kept, readable or not.

An event holds its object as it was, or, if it is thin, only names it.
"""

from __future__ import annotations

import hashlib
import json
import math
from datetime import UTC, datetime
from typing import Any

from payments.gateway import Event

_LONGEST_ID = 255
_LONGEST_TYPE = 100
_LONGEST_VERSION = 40
# Far above what Stripe sends, and far below what a program or Postgres can follow.
_DEEPEST = 50
# Beyond them some time zone or other has no such day.
_FIRST_INSTANT = datetime(2000, 1, 1, tzinfo=UTC)
_LAST_INSTANT = datetime(2200, 1, 1, tzinfo=UTC)
# Source: https://docs.stripe.com/event-destinations, "Thin events".
_THIN = "v2.core.event"


def read_event(body: bytes, *, now: datetime) -> Event:
    """Read an event; ``problem`` says why it cannot be applied, and then ``body`` is what is left of it.

    Args:
        now: when it happened, where the event itself does not say so.
    """
    document, problem = _parse(body)
    if _is_deeper(document, _DEEPEST):
        document, problem = {}, "it is nested too deeply"
    payload = _clean(document)
    subject = _subject(payload)
    event_id, type_ = _text(payload.get("id")), _text(payload.get("type"))
    object_id = _text(subject.get("id")) if subject is not None else ""
    problem = problem or _find_problem(event_id, type_, subject, object_id)
    return Event(
        id=event_id if 0 < len(event_id) <= _LONGEST_ID else f"unreadable_{hashlib.sha256(body).hexdigest()}",
        type=type_[:_LONGEST_TYPE],
        object_id=object_id[:_LONGEST_ID],
        api_version=_text(payload.get("api_version"))[:_LONGEST_VERSION],
        created_at=_read_instant(payload.get("created")) or now,
        payload=payload,
        problem=problem,
        body=body if problem or payload != document else None,
    )


def _parse(body: bytes) -> tuple[dict[str, Any], str]:
    try:
        document = json.loads(body)
    except (ValueError, RecursionError) as error:
        return {}, f"it is no JSON: {type(error).__name__}"
    return (document, "") if isinstance(document, dict) else ({}, "it is no JSON object")


def _is_deeper(value: object, levels: int) -> bool:
    """Say whether a document is nested more deeply than anything of Stripe's, and follow it no further."""
    children = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return any(levels == 0 or _is_deeper(child, levels - 1) for child in children)


def _find_problem(event_id: str, type_: str, subject: dict[str, Any] | None, object_id: str) -> str:
    if not 0 < len(event_id) <= _LONGEST_ID:
        return "it has no id that can be stored"
    if not 0 < len(type_) <= _LONGEST_TYPE:
        return "it has no type that can be stored"
    if subject is None:
        return "it names no object"
    return "the id of its object is too long" if len(object_id) > _LONGEST_ID else ""


def thin_kind(payload: dict[str, Any]) -> str | None:
    """Return what kind of object a thin event names; ``None`` when the event is not thin."""
    if payload.get("object") != _THIN:
        return None
    return _text((_subject(payload) or {}).get("type"))


def _subject(payload: dict[str, Any]) -> dict[str, Any] | None:
    match payload:
        case {"object": "v2.core.event", "related_object": dict() as subject}:
            return subject
        case {"data": {"object": dict() as subject}}:
            return subject
    return None


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def _read_instant(value: object) -> datetime | None:
    """Read an instant that can have been; ``None`` when it is none."""
    instant = _parse_instant(value)
    return instant if instant is not None and _FIRST_INSTANT <= instant < _LAST_INSTANT else None


def _parse_instant(value: object) -> datetime | None:
    """Read seconds, or the text of an instant as thin events have it."""
    if isinstance(value, str):
        return _read_text_instant(value)
    if not isinstance(value, int | float) or isinstance(value, bool):
        return None
    try:
        return datetime.fromtimestamp(value, tz=UTC)
    except (ValueError, OverflowError, OSError):
        return None


def _read_text_instant(value: str) -> datetime | None:
    try:
        instant = datetime.fromisoformat(value)
    except ValueError:
        return None
    return instant if instant.tzinfo is not None else None


def _clean(value: Any) -> Any:
    """Return a document without what Postgres cannot store in one: NUL, half a character, no number."""
    match value:
        case str():
            return value.replace("\x00", "\ufffd").encode("utf-8", "replace").decode()
        case dict():
            return {_clean(name): _clean(each) for name, each in value.items()}
        case list():
            return [_clean(each) for each in value]
        case float() if not math.isfinite(value):
            return str(value)
    return value
