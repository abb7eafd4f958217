"""Ports for programs that tests start."""

from __future__ import annotations

import random
import socket

# Below the range from which Linux and macOS give outgoing connections theirs: what is free now stays free.
_PORTS = range(20_000, 32_000)


def free_port() -> int:
    """A port of this machine on which nobody listens."""
    while True:
        port = random.choice(_PORTS)  # noqa: S311 - two tests should rarely ask for the same
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
        return port
