"""What visitors send is read as UTF-8, as our own pages send it."""

from __future__ import annotations

from typing import Any

from django.core.handlers.wsgi import WSGIRequest


class TextRequest(WSGIRequest):
    """A request whose claim of another encoding is ignored.

    Django takes the name of any codec that Python has, also of one that makes no text, such as ``zlib``, and
    reads the address by it while the request is made: an error before any middleware or page of ours.
    """

    @property
    def encoding(self) -> None:
        return None

    @encoding.setter
    def encoding(self, _claimed: Any) -> None:
        """Leave it at that."""
