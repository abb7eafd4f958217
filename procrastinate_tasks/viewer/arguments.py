"""Shows a job's arguments: as indented JSON, without what the name of a key marks as secret."""

from __future__ import annotations

import json
from collections.abc import Mapping

_SECRET_WORDS = ("password", "passwd", "secret", "token", "api_key", "apikey", "authorization", "cvc", "card")
_HIDDEN = "•••"


def show_arguments(arguments: Mapping[str, object]) -> str:
    """Return arguments as text to read; values of keys such as ``token`` are dots, at every depth."""
    return json.dumps(_without_secrets(arguments), indent=2, ensure_ascii=False, sort_keys=True)


def _without_secrets(value: object) -> object:
    if isinstance(value, Mapping):
        return {
            key: _HIDDEN if _is_secret(str(key)) else _without_secrets(item) for key, item in value.items()
        }
    if isinstance(value, list):
        return [_without_secrets(item) for item in value]
    return value


def _is_secret(key: str) -> bool:
    return any(word in key.casefold() for word in _SECRET_WORDS)
