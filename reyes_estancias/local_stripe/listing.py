"""Pages of a list, and the expansion of ids into objects."""

from __future__ import annotations

from collections.abc import Iterable

from reyes_estancias.local_stripe.calls import Call
from reyes_estancias.local_stripe.errors import Document, ParameterRefused, UnexpectedState
from reyes_estancias.local_stripe.store import Store

DEFAULT_LIMIT = 10

EXPANDABLE = {
    "balance_transaction": "balance_transaction",
    "charge": "charge",
    "customer": "customer",
    "latest_charge": "charge",
    "payment_intent": "payment_intent",
    "payment_method": "payment_method",
    "setup_intent": "setup_intent",
    "source": "charge",
}


def list_page(
    call: Call, newest_first: Iterable[Document], *, url: str, filters: tuple[str, ...] = ()
) -> Document:
    """Return the page of a list that the request asks for.

    ``filters`` names the parameters that must equal the object's field of the same name.
    """
    wanted = {name: call.params[name] for name in filters if name in call.params}
    created = call.params.get("created", {})
    rows = [
        row
        for row in newest_first
        if all(row.get(name) == value for name, value in wanted.items())
        and _is_within(row["created"], created)
    ]
    window = _window(rows, call.params)
    limit = call.params.get("limit", DEFAULT_LIMIT)
    page = window[-limit:] if "ending_before" in call.params else window[:limit]
    return {"object": "list", "data": page, "has_more": len(window) > limit, "url": url}


def _is_within(created: int, bounds: dict[str, int]) -> bool:
    return (
        created > bounds.get("gt", -1)
        and created >= bounds.get("gte", 0)
        and created < bounds.get("lt", created + 1)
        and created <= bounds.get("lte", created)
    )


def _window(rows: list[Document], params: Document) -> list[Document]:
    if "starting_after" in params:
        return rows[_position(rows, params["starting_after"], "starting_after") + 1 :]
    if "ending_before" in params:
        return rows[: _position(rows, params["ending_before"], "ending_before")]
    return rows


def _position(rows: list[Document], id_: str, param: str) -> int:
    for index, row in enumerate(rows):
        if row["id"] == id_:
            return index
    raise ParameterRefused(f"No such object in this list: '{id_}'", param=param, code="resource_missing")


def check_expandable(paths: Iterable[str]) -> None:
    """Raises ParameterRefused for a path no object could expand, before anything is done."""
    for path in paths:
        if not all(name in EXPANDABLE or name in ("data", "line_items") for name in path.split(".")):
            raise ParameterRefused(f"This property cannot be expanded ({path}).", param="expand")


def expand(store: Store, document: Document, paths: Iterable[str]) -> Document:
    """Return the document with the ids at ``paths`` (such as ``data.customer``) replaced by objects.

    Raises:
        UnexpectedState: this kind of object has no such field.
    """
    for path in paths:
        document = _expand_path(store, document, path.split("."), path)
    return document


def _expand_path(store: Store, document: Document, names: list[str], path: str) -> Document:
    name, *rest = names
    if document.get("object") == "list" and name == "data":
        return document | {"data": [_expand_path(store, row, rest, path) for row in document["data"]]}
    if document.get("object") == "checkout.session" and name == "line_items":
        return document | {"line_items": store.get("line_items", document["id"])}
    if name not in EXPANDABLE or name not in document:
        raise UnexpectedState(f"This property cannot be expanded ({path}).", param="expand")
    child = document[name]
    if isinstance(child, str):
        child = store.get(EXPANDABLE[name], child)
    if child is not None and rest:
        child = _expand_path(store, child, rest, path)
    return document | {name: child}
