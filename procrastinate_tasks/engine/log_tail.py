"""The last log lines of a child, in memory shared with the supervisor: they survive whatever kills it."""

from __future__ import annotations

import logging
import mmap
import struct

_CAPACITY = 8192
_COUNT = struct.Struct("!Q")
_MOST_LINES = 20


class LogTail:
    """A ring of bytes in anonymous shared memory; to be made before the fork."""

    def __init__(self) -> None:
        self._memory = mmap.mmap(-1, _COUNT.size + _CAPACITY)

    def write(self, line: str) -> None:
        """Appends a line, over the oldest if need be."""
        data = (line + "\n").encode("utf-8", "replace")[-_CAPACITY:]
        (count,) = _COUNT.unpack_from(self._memory)
        start = count % _CAPACITY
        first = data[: _CAPACITY - start]
        self._memory[_COUNT.size + start : _COUNT.size + start + len(first)] = first
        rest = data[len(first) :]
        self._memory[_COUNT.size : _COUNT.size + len(rest)] = rest
        _COUNT.pack_into(self._memory, 0, count + len(data))

    def read(self) -> str:
        """The last lines, oldest first, as text that Postgres can store."""
        (count,) = _COUNT.unpack_from(self._memory)
        ring = self._memory[_COUNT.size :]
        start = count % _CAPACITY
        data = ring[:count] if count <= _CAPACITY else ring[start:] + ring[:start]
        lines = data.decode("utf-8", "replace").splitlines()
        return "\n".join(lines[-_MOST_LINES:]).replace("\x00", "\ufffd")

    def close(self) -> None:
        """Gives the memory back."""
        self._memory.close()


class LogTailHandler(logging.Handler):
    """Copies what the process logs into the tail."""

    def __init__(self, tail: LogTail) -> None:
        super().__init__()
        self._tail = tail
        self.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))

    def emit(self, record: logging.LogRecord) -> None:
        self._tail.write(self.format(record))
