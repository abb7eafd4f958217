"""Events: what happened, listable for thirty days."""

from __future__ import annotations

from fnmatch import fnmatchcase

from reyes_estancias.local_stripe.calls import Call
from reyes_estancias.local_stripe.errors import Document, ParametersExclusive
from reyes_estancias.local_stripe.listing import list_page

LISTABLE_SECONDS = 30 * 86_400


def retrieve(call: Call) -> Document:
    return call.find("event", call.ids[0])


def list_all(call: Call) -> Document:
    if "type" in call.params and "types" in call.params:
        raise ParametersExclusive("type", "types")
    patterns = call.params.get("types") or [call.params.get("type", "*")]
    rows = (
        event
        for event in call.store.newest_first("event")
        if event["created"] > call.now - LISTABLE_SECONDS
        and any(fnmatchcase(event["type"], pattern) for pattern in patterns)
    )
    return list_page(call, rows, url="/v1/events")
