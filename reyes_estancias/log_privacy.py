"""What Django logs of a request, without the secrets that travel in addresses."""

from __future__ import annotations

import logging

from reyes_estancias.access_log import mask_path


class RequestFilter(logging.Filter):
    """Masks the paths in Django's own lines ("Not Found: /reserva/…/") and drops the request they carry.

    A guest reaches a booking by an unguessable link, which no log may hold.
    """

    def filter(self, record: logging.LogRecord) -> bool:
        if hasattr(record, "request"):
            del record.request
            if isinstance(record.args, tuple):
                record.args = tuple(_mask(value) for value in record.args)
        return True


def _mask(value: object) -> object:
    return mask_path(value) if isinstance(value, str) and value.startswith("/") else value
