"""Form bodies as Stripe's SDK writes them: ``line_items[0][price_data][currency]=mxn``."""

from __future__ import annotations

import re
from urllib.parse import parse_qsl

from reyes_estancias.local_stripe.errors import Document, ParameterRefused

NAME = re.compile(r"^([^\[\]]+)((?:\[[^\[\]]*\])*)$")
PART = re.compile(r"\[([^\[\]]*)\]")


def decode_form(text: str) -> Document:
    """Return the nested values of a form; lists stay dictionaries with their index as key.

    Raises:
        ParameterRefused: a name is malformed, or stands for a value and for a group at once.
    """
    values: Document = {}
    for name, value in parse_qsl(text, keep_blank_values=True):
        _insert(values, name, value)
    return values


def _insert(values: Document, name: str, value: str) -> None:
    match = NAME.match(name)
    if match is None:
        raise ParameterRefused(f"Invalid parameter name: {name}", param=name)
    *groups, last = [match[1], *PART.findall(match[2])]
    place = values
    for group in groups:
        place = place.setdefault(group or str(len(place)), {})
        if not isinstance(place, dict):
            raise ParameterRefused(f"Invalid hash: {name}", param=name)
    place[last or str(len(place))] = value
