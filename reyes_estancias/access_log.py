"""Gunicorn's logger without the secrets that travel in addresses."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import timedelta

from gunicorn.glogging import Logger

from reyes_estancias.visitors import PROBED

LONG_SEGMENT = re.compile(r"[^/]{20,}")


class AccessLogger(Logger):  # type: ignore[misc]  # gunicorn ships no types
    """Masks long path segments: a guest reaches a booking by an unguessable link, which no log may hold."""

    def access(
        self, resp: object, req: object, environ: Mapping[str, object], request_time: timedelta
    ) -> None:
        """Keep silent about the probes that come every few seconds: what they find is told elsewhere."""
        if not PROBED.match(str(environ["RAW_URI"])):
            super().access(resp, req, environ, request_time)

    def atoms(
        self, resp: object, req: object, environ: Mapping[str, object], request_time: timedelta
    ) -> dict[str, object]:
        atoms: dict[str, object] = super().atoms(resp, req, environ, request_time)
        return atoms | {"U": mask_path(str(environ["RAW_URI"]))}


def mask_path(address: str) -> str:
    """Return the path of a raw address, with an ellipsis in place of each segment as long as a token.

    The raw address is still percent-encoded, so that no line break in it can forge a log line.
    """
    return LONG_SEGMENT.sub("…", address.partition("?")[0])
