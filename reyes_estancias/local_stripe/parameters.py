"""The kinds of parameters, and how each is read from a form."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from reyes_estancias.local_stripe.errors import (
    Document,
    ParameterMissing,
    ParameterNotSupportedHere,
    ParameterRefused,
    ParameterUnknown,
)

MAX_INTEGER = 10**12


class Kind(Protocol):
    def read(self, name: str, raw: object) -> Any: ...


@dataclass(frozen=True, slots=True)
class Text:
    """A string; an empty one clears the field where that is allowed."""

    max_length: int = 5000
    is_clearable: bool = False

    def read(self, name: str, raw: object) -> str | None:
        text = _read_string(name, raw)
        if text == "" and self.is_clearable:
            return None
        if text == "":
            raise ParameterRefused(
                f"You passed an empty string for '{name}'. We assume empty values are an attempt to unset a "
                f"parameter; however '{name}' cannot be unset.",
                param=name,
                code="parameter_invalid_empty",
            )
        if len(text) > self.max_length:
            message = f"Invalid string: {name} must be at most {self.max_length} characters"
            raise ParameterRefused(message, param=name, code="parameter_invalid_string")
        return text


@dataclass(frozen=True, slots=True)
class Integer:
    minimum: int = 0
    maximum: int = MAX_INTEGER

    def read(self, name: str, raw: object) -> int:
        text = _read_string(name, raw)
        if not re.fullmatch(r"-?[0-9]{1,15}", text):
            raise ParameterRefused(f"Invalid integer: {text}", param=name, code="parameter_invalid_integer")
        if not self.minimum <= int(text) <= self.maximum:
            message = f"Invalid integer: {name} must be between {self.minimum} and {self.maximum}"
            raise ParameterRefused(message, param=name, code="parameter_invalid_integer")
        return int(text)


@dataclass(frozen=True, slots=True)
class Boolean:
    def read(self, name: str, raw: object) -> bool:
        text = _read_string(name, raw)
        if text not in ("true", "false"):
            raise ParameterRefused(f"Invalid boolean: {text}", param=name)
        return text == "true"


@dataclass(frozen=True, slots=True)
class Choice:
    values: tuple[str, ...]

    def read(self, name: str, raw: object) -> str:
        text = _read_string(name, raw)
        if text not in self.values:
            message = f"Invalid {name}: must be one of {', '.join(self.values)}"
            raise ParameterRefused(message, param=name)
        return text


@dataclass(frozen=True, slots=True)
class Currency:
    def read(self, name: str, raw: object) -> str:
        text = _read_string(name, raw).lower()
        if not re.fullmatch(r"[a-z]{3}", text):
            raise ParameterRefused(f"Invalid currency: {text}", param=name)
        return text


@dataclass(frozen=True, slots=True)
class Url:
    def read(self, name: str, raw: object) -> str:
        text = _read_string(name, raw)
        if not re.fullmatch(r"https?://[^\s/]\S*", text):
            raise ParameterRefused("Not a valid URL", param=name, code="url_invalid")
        return text


@dataclass(frozen=True, slots=True)
class Email:
    def read(self, name: str, raw: object) -> str:
        text = _read_string(name, raw)
        if not re.fullmatch(r"[^@\s]+@[^@\s]+", text):
            raise ParameterRefused(f"Invalid email address: {text}", param=name, code="email_invalid")
        return text


@dataclass(frozen=True, slots=True)
class Metadata:
    """Up to 50 keys of 40 characters with values of 500; an empty value removes its key.

    Source: docs.stripe.com/api/metadata.
    """

    def read(self, name: str, raw: object) -> dict[str, str]:
        pairs = _read_group(name, raw)
        if len(pairs) > 50:
            raise ParameterRefused("Metadata can have up to 50 keys", param=name)
        for key, value in pairs.items():
            if len(key) > 40:
                raise ParameterRefused("Metadata keys can be up to 40 characters", param=f"{name}[{key}]")
            if len(_read_string(f"{name}[{key}]", value)) > 500:
                raise ParameterRefused("Metadata values can be up to 500 characters", param=f"{name}[{key}]")
        return pairs


@dataclass(frozen=True, slots=True)
class ListOf:
    item: Kind
    max_items: int = 100

    def read(self, name: str, raw: object) -> list[Any]:
        if raw == "":
            return []
        items = _read_group(name, raw)
        if not all(key.isdigit() for key in items) or len(items) > self.max_items:
            raise ParameterRefused(f"Invalid array: {name}", param=name)
        ordered = sorted(items.items(), key=lambda pair: int(pair[0]))
        return [self.item.read(f"{name}[{key}]", value) for key, value in ordered]


@dataclass(frozen=True, slots=True)
class Fields:
    """A group of named parameters: those we take, those we must have, and those only Stripe takes."""

    accepted: Mapping[str, Kind]
    required: tuple[str, ...] = ()
    unsupported: frozenset[str] = field(default_factory=frozenset)

    def read(self, name: str, raw: object) -> Document:
        values = _read_group(name, raw)
        read = {
            key: self._kind(key, full).read(full, value)
            for key, value in values.items()
            for full in [f"{name}[{key}]" if name else key]
        }
        for key in self.required:
            if key not in read:
                raise ParameterMissing(f"{name}[{key}]" if name else key)
        return read

    def _kind(self, key: str, full_name: str) -> Kind:
        if key in self.unsupported:
            raise ParameterNotSupportedHere(full_name)
        if key not in self.accepted:
            raise ParameterUnknown(full_name)
        return self.accepted[key]


@dataclass(frozen=True, slots=True)
class IntegerRange:
    """``created``: a number, or bounds under gt, gte, lt and lte."""

    def read(self, name: str, raw: object) -> dict[str, int]:
        if isinstance(raw, str):
            exact = Integer().read(name, raw)
            return {"gte": exact, "lte": exact}
        bounds = Fields({bound: Integer() for bound in ("gt", "gte", "lt", "lte")})
        return bounds.read(name, raw)


def _read_string(name: str, raw: object) -> str:
    if not isinstance(raw, str):
        raise ParameterRefused(f"Invalid string: {name} is a group of values", param=name)
    return raw


def _read_group(name: str, raw: object) -> Document:
    if not isinstance(raw, dict):
        raise ParameterRefused(f"Invalid hash: {name}", param=name)
    return raw
