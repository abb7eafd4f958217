"""What Stripe signed is read as far as it can be, whatever its depth and its dates."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from payments.event_reading import read_event

NOW = datetime(2026, 11, 2, 18, tzinfo=UTC)


def an_event(**changes: Any) -> dict[str, Any]:
    return {
        "id": "evt_1",
        "object": "event",
        "type": "payment_intent.succeeded",
        "created": 1_790_000_000,
        "data": {"object": {"id": "pi_1"}},
        **changes,
    }


def nested(levels: int, *, opening: str = '{"a":', closing: str = "}") -> bytes:
    body = json.dumps(an_event(more="HERE"))
    return body.replace('"HERE"', opening * levels + "1" + closing * levels).encode()


@pytest.mark.parametrize("levels", [1, 20, 48])
def test_what_is_nested_like_anything_of_stripes_is_read(levels: int):
    event = read_event(nested(levels), now=NOW)

    assert (event.id, event.problem, event.body) == ("evt_1", "", None)


@pytest.mark.parametrize("shape", [('{"a":', "}"), ("[", "]")])
@pytest.mark.parametrize("levels", [60, 300, 600, 900, 5_000, 100_000])
def test_what_is_nested_more_deeply_than_can_be_followed_is_kept_as_it_came(
    levels: int, shape: tuple[str, str]
):
    body = nested(levels, opening=shape[0], closing=shape[1])

    event = read_event(body, now=NOW)

    assert event.id.startswith("unreadable_")
    assert event.problem
    assert event.body == body
    assert event.payload == {}


@pytest.mark.parametrize(
    "created",
    [
        -62135596800,
        2**70,
        -(2**70),
        1e400,
        10**15,
        99_999_999_999,
        True,
        None,
        "yesterday",
        "0001-01-01T00:00:00+14:00",
        "9999-12-31T23:59:59-12:00",
        "2026-11-02T18:00:00",
    ],
)
def test_an_instant_that_cannot_have_been_is_the_one_at_which_it_came(created: object):
    event = read_event(json.dumps(an_event(created=created)).encode(), now=NOW)

    assert event.created_at == NOW
    event.created_at.astimezone(ZoneInfo("America/Mexico_City"))


@pytest.mark.parametrize("created", [1_790_000_000, 1_790_000_000.0, "2026-09-21T14:13:20Z"])
def test_an_instant_is_read_in_both_of_stripes_forms(created: object):
    event = read_event(json.dumps(an_event(created=created)).encode(), now=NOW)

    assert event.created_at == datetime.fromtimestamp(1_790_000_000, tz=UTC)
