"""What people write for a booking: its folio or its public id."""

from __future__ import annotations

import re
from uuid import UUID

_FOLIO = re.compile(r"(?:RE-)?([0-9A-F]{8})", re.IGNORECASE)


def read_reference(text: str) -> tuple[UUID, UUID] | None:
    """Return the range of public ids that a folio or a whole public id names, ``None`` for other text."""
    text = text.strip()
    folio = _FOLIO.fullmatch(text)
    if folio is not None:
        return UUID(folio[1] + "0" * 24), UUID(folio[1] + "f" * 24)
    try:
        public_id = UUID(text)
    except ValueError:
        return None
    return public_id, public_id
