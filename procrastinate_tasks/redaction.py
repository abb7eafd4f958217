"""Takes job arguments, e-mail addresses and card numbers out of text that is stored or logged."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping

_EMAIL = re.compile(r"[\w.+-]+@[\w-]+(?:\.[\w-]+)+")
_CARD_NUMBER = re.compile(r"\b\d(?:[ -]?\d){12,18}\b")
_SHORTEST_HIDDEN_TEXT = 3
_SMALLEST_HIDDEN_NUMBER = 1000


def redact(text: str, *, arguments: Mapping[str, object], visible: Collection[str] = ()) -> str:
    """Return ``text`` with each hidden argument's value replaced by the argument's name in brackets.

    Strings under three characters and numbers under 1,000 stay: they identify nobody, and a text without any
    small number cannot be read. E-mail addresses and card numbers go, wherever they come from.
    """
    for value, name in _hidden_values(arguments, visible):
        text = text.replace(value, f"[{name}]")
    return _CARD_NUMBER.sub("[number]", _EMAIL.sub("[email]", text))


def _hidden_values(arguments: Mapping[str, object], visible: Collection[str]) -> list[tuple[str, str]]:
    found = {
        value: name
        for name, argument in arguments.items()
        if name not in visible
        for value in _texts_in(argument)
    }
    return sorted(found.items(), key=lambda pair: len(pair[0]), reverse=True)


def _texts_in(value: object) -> Iterator[str]:
    if isinstance(value, str):
        if len(value) >= _SHORTEST_HIDDEN_TEXT:
            yield value
    elif isinstance(value, Mapping):
        for item in value.values():
            yield from _texts_in(item)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _texts_in(item)
    elif isinstance(value, int | float) and abs(value) >= _SMALLEST_HIDDEN_NUMBER:
        yield str(value)
