"""The store on disk: one file of changes, appended to before each answer and rewritten at start."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import secrets
from collections.abc import Iterator
from pathlib import Path

from reyes_estancias.local_stripe.store import Change, Store


class StateFileInUse(Exception):
    def __init__(self, path: Path) -> None:
        self.path = path
        super().__init__(f"another local Stripe is using {path}: stop it, or give --state another file")


class StateFileUnreadable(Exception):
    def __init__(self, path: Path, *, line: int) -> None:
        self.path = path
        super().__init__(
            f"{path} is no state file of the local Stripe (line {line}): move it away to start anew"
        )


class Journal:
    """Keeps a store across restarts and kill -9 (not across a power cut: it does not fsync).

    Each line holds the changes of one request, so a half-written last line loses one request that was
    never answered, and nothing else.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock_fd = _lock(path)
        self.store = _load(path)
        self._fd = _rewrite(path, self.store)

    def save(self) -> None:
        """Append the store's changes; call it before the answer leaves."""
        changes = self.store.take_changes()
        if changes:
            _write_all(self._fd, _line(changes))

    def close(self) -> None:
        os.close(self._fd)
        os.close(self._lock_fd)


def _lock(path: Path) -> int:
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(path.with_name(path.name + ".lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        raise StateFileInUse(path) from None
    return descriptor


def _load(path: Path) -> Store:
    if not path.exists():
        return Store(seed=secrets.token_hex(16))
    lines = path.read_bytes().split(b"\n")
    complete = lines[:-1]
    if not complete:
        return Store(seed=secrets.token_hex(16))
    try:
        seed = str(json.loads(complete[0])["seed"])
    except (ValueError, KeyError, TypeError):
        raise StateFileUnreadable(path, line=1) from None
    return Store(seed=seed, rows=_read_changes(path, complete[1:]))


def _read_changes(path: Path, lines: list[bytes]) -> Iterator[Change]:
    for number, line in enumerate(lines, start=2):
        try:
            changes = json.loads(line)
        except ValueError:
            raise StateFileUnreadable(path, line=number) from None
        yield from changes


def _rewrite(path: Path, store: Store) -> int:
    """Write the store's rows once each beside the old file, put it in its place, and return it open."""
    fresh = path.with_name(path.name + ".new")
    with contextlib.suppress(FileNotFoundError):
        fresh.unlink()
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
    _write_all(descriptor, json.dumps({"seed": store.seed}).encode() + b"\n")
    _write_all(descriptor, _line(list(store.dump())))
    fresh.replace(path)
    store.take_changes()
    return descriptor


def _line(changes: list[Change]) -> bytes:
    return json.dumps(changes, separators=(",", ":")).encode() + b"\n"


def _write_all(descriptor: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]
