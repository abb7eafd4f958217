"""What the local Stripe remembers: named tables of JSON documents, and which of them changed."""

from __future__ import annotations

import hashlib
import json
import string
from collections.abc import Iterable, Iterator

from reyes_estancias.local_stripe.errors import Document

ALPHABET = string.digits + string.ascii_letters
ID_LENGTH = 24
KEPT_TABLES = ("counters", "settings", "webhook_endpoint", "webhook_secrets")
# Whose last version but one is known, for answers that are out of date.
_VERSIONED = ("payment_intent", "checkout.session", "refund", "dispute")

Change = tuple[str, str, Document | None]
"""A table's name, a row's id, and the row (``None`` when it was removed)."""


class Store:
    """Tables of rows in the order they were first put.

    A row changed in place must be put again: ``take_changes`` reports only what was put or removed.
    """

    __slots__ = ("_before", "_changed", "_latest", "_tables", "seed")

    def __init__(self, *, seed: str, rows: Iterable[Change] = ()) -> None:
        self.seed = seed
        self._tables: dict[str, dict[str, Document]] = {}
        self._changed: dict[tuple[str, str], None] = {}
        self._latest: dict[str, str] = {}
        self._before: dict[str, str] = {}
        for table, id_, row in rows:
            self._set(table, id_, row)

    def get(self, table: str, id_: str) -> Document | None:
        return self._tables.get(table, {}).get(id_)

    def before(self, document: Document) -> Document:
        """Return an object as it was before its last change, as far as this process has seen that."""
        text = self._before.get(document.get("id", ""))
        older: Document = json.loads(text) if text else document
        return older

    def rows(self, table: str) -> list[Document]:
        """Return a table's rows, oldest first."""
        return list(self._tables.get(table, {}).values())

    def newest_first(self, table: str) -> Iterator[Document]:
        return reversed(self._tables.get(table, {}).values())

    def put(self, table: str, id_: str, row: Document) -> None:
        self._set(table, id_, row)
        if table in _VERSIONED:
            self._before[id_] = self._latest.get(id_, "")
            self._latest[id_] = json.dumps(row)
        self._changed[table, id_] = None

    def remove(self, table: str, id_: str) -> None:
        self._set(table, id_, None)
        self._changed[table, id_] = None

    def count(self, table: str) -> int:
        return len(self._tables.get(table, {}))

    def next_id(self, prefix: str) -> str:
        """Return an id nobody had before, in this store or in one with another seed."""
        number = self.next_number()
        digest = int.from_bytes(hashlib.sha256(f"{self.seed}:{number}".encode()).digest()[:20], "big")
        return prefix + "".join(ALPHABET[digest // 62**place % 62] for place in range(ID_LENGTH))

    def next_number(self) -> int:
        row = self.get("counters", "ids") or {"value": 0}
        number = int(row["value"]) + 1
        self.put("counters", "ids", {"value": number})
        return number

    def clear(self) -> None:
        """Forget everything but the counter (so that no id comes twice), the settings and the webhooks."""
        for table in [name for name in self._tables if name not in KEPT_TABLES]:
            for id_ in list(self._tables[table]):
                self.remove(table, id_)

    def take_changes(self) -> list[Change]:
        """Return what was put or removed since the last call."""
        changes: list[Change] = [(table, id_, self.get(table, id_)) for table, id_ in self._changed]
        self._changed.clear()
        return changes

    def dump(self) -> Iterator[Change]:
        for table, rows in self._tables.items():
            for id_, row in rows.items():
                yield table, id_, row

    def _set(self, table: str, id_: str, row: Document | None) -> None:
        rows = self._tables.setdefault(table, {})
        if row is None:
            rows.pop(id_, None)
        else:
            rows[id_] = row
