"""How arguments travel: as JSON, and those whose parameter's annotation says more, there and back.

``Decimal``, ``date``, ``datetime``, ``UUID`` and enums become what JSON has for them when a job is deferred,
and themselves again before the task is called; in ``list``, ``dict``, ``Optional`` too, and in a union whose
kinds JSON tells apart. Of ``str``, ``int``, ``float``, ``bool`` and ``Literal`` it is checked that they are
it. Whatever else an annotation says is left to JSON.
"""

from __future__ import annotations

import inspect
import types
import typing
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from decimal import Decimal, InvalidOperation
from enum import Enum
from functools import cached_property
from typing import Annotated, Any, Literal, Union, get_args, get_origin
from uuid import UUID


class Unfit(Exception):
    """A value is not what its parameter takes; the message names no value."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """One kind of value.

    ``encode`` returns what travels, ``decode`` what arrives; both raise ``Unfit``. A ``plain`` one travels as
    it is; ``json`` are the types that JSON has for it.
    """

    name: str
    encode: Callable[[Any], object]
    decode: Callable[[Any], object]
    json: frozenset[type]
    is_plain: bool = False


class Parameters:
    """How the arguments of one function travel; annotations are read when the first of them does."""

    def __init__(self, function: Callable[..., object] | None = None, *, without: int = 0) -> None:
        self._function = function
        self._without = without

    @cached_property
    def _kinds(self) -> Mapping[str, Kind]:
        if self._function is None:
            return {}
        return dict(_kinds_of(self._function, without=self._without))

    @cached_property
    def _decoded(self) -> Mapping[str, Kind]:
        return {name: kind for name, kind in self._kinds.items() if not kind.is_plain}

    def encode(self, arguments: Mapping[str, object]) -> Mapping[str, object]:
        """Return the arguments as they travel.

        Raises:
            Unfit: one is not what its parameter takes.
        """
        return {name: self._encode_one(name, value) for name, value in arguments.items()}

    def decode(self, arguments: Mapping[str, Any]) -> Mapping[str, Any]:
        """Return arguments that travelled as the function takes them; those that did not stay as they are.

        Raises:
            Unfit: one is not what its parameter takes.
        """
        if not self._decoded:
            return arguments
        return {name: self._decode_one(name, value) for name, value in arguments.items()}

    def _encode_one(self, name: str, value: object) -> object:
        kind = self._kinds.get(name)
        return value if kind is None else _named(name, kind, kind.encode, value)

    def _decode_one(self, name: str, value: object) -> object:
        kind = self._decoded.get(name)
        return value if kind is None else _named(name, kind, kind.decode, value)


def _named(name: str, kind: Kind, convert: Callable[[Any], object], value: object) -> object:
    try:
        return convert(value)
    except Unfit:
        raise Unfit(f"{name} takes {kind.name}, not {_said_of(value)}") from None


def _said_of(value: object) -> str:
    return "None" if value is None else f"this {type(value).__name__}"


# --- From annotations -------------------------------------------------------------------------------------


def _kinds_of(function: Callable[..., object], *, without: int) -> Iterable[tuple[str, Kind]]:
    parameters = list(inspect.signature(function).parameters.values())[without:]
    for parameter in parameters:
        if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
            continue
        kind = _kind_of(_annotation_of(parameter, inspect.unwrap(function)))
        if kind is not None:
            # What mypy calls an implicit Optional.
            yield parameter.name, _or_none(kind) if parameter.default is None else kind


def _annotation_of(parameter: inspect.Parameter, function: Callable[..., object]) -> object:
    """Return what an annotation means; one that only a type checker can read says nothing."""

    def stand_in() -> None: ...

    stand_in.__annotations__ = {"it": parameter.annotation}
    try:
        return typing.get_type_hints(
            stand_in, globalns=getattr(function, "__globals__", {}), include_extras=False
        )["it"]
    except Exception:
        return Any


def _kind_of(annotation: Any) -> Kind | None:
    annotation = _unwrapped(annotation)
    if annotation in _KINDS:
        return _KINDS[annotation]
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin in (Union, types.UnionType):
        return _kind_of_union([_kind_of(argument) for argument in arguments])
    if origin is Literal:
        return _literal(arguments)
    if origin in (list, Sequence) and arguments:
        return _list_of(_kind_of(arguments[0]))
    if origin in (dict, Mapping) and arguments and arguments[0] is str:
        return _dict_of(_kind_of(arguments[1]))
    if isinstance(annotation, type) and issubclass(annotation, Enum):
        return _enum(annotation)
    return None


def _unwrapped(annotation: Any) -> Any:
    """Return what stands behind an ``Annotated``, a ``NewType`` or a ``type`` alias."""
    while True:
        if get_origin(annotation) is Annotated:
            annotation = get_args(annotation)[0]
        elif isinstance(annotation, typing.NewType):
            annotation = annotation.__supertype__
        elif type(annotation).__name__ == "TypeAliasType":
            annotation = annotation.__value__
        else:
            return annotation if _is_hashable(annotation) else Any


def _is_hashable(annotation: object) -> bool:
    try:
        hash(annotation)
    except TypeError:
        return False
    return True


# --- Plain kinds ------------------------------------------------------------------------------------------


def _plain(name: str, *accepted: type, json: type | None = None) -> Kind:
    def check(value: object) -> object:
        if not isinstance(value, accepted):
            raise Unfit
        return value

    return Kind(name=name, encode=check, decode=check, json=frozenset({json or accepted[0]}), is_plain=True)


def _literal(values: Sequence[object]) -> Kind | None:
    def check(value: object) -> object:
        if not any(type(value) is type(each) and value == each for each in values):
            raise Unfit
        return value

    if any(isinstance(value, Enum | bytes) for value in values):
        return None
    name = " or ".join(map(repr, values))
    return Kind(name=name, encode=check, decode=check, json=frozenset(map(type, values)), is_plain=True)


# --- Kinds that travel as something else ------------------------------------------------------------------


def _travelling(
    name: str,
    kind: type,
    *,
    encode: Callable[[Any], object],
    decode: Callable[[Any], object],
    json: Iterable[type] = (str,),
    refuses: tuple[type, ...] = (),
) -> Kind:
    """A value travels as what ``encode`` makes of it; what has travelled already is let through."""
    accepted = frozenset(json)

    def decoded(value: object) -> object:
        if isinstance(value, kind) and not isinstance(value, refuses):
            return value
        if type(value) not in accepted:
            raise Unfit
        try:
            return decode(value)
        except (ValueError, InvalidOperation, OverflowError):
            raise Unfit from None

    return Kind(name=name, encode=lambda value: encode(decoded(value)), decode=decoded, json=accepted)


def _decimal(text: str) -> Decimal:
    number = Decimal(text)
    if not number.is_finite():
        raise ValueError
    return number


def _encode_decimal(number: Decimal) -> str:
    if not number.is_finite():
        raise Unfit
    return str(number)


def _enum(kind: type[Enum]) -> Kind | None:
    json = {_json_type(member.value) for member in kind}
    if not json or None in json:
        return None
    return _travelling(
        f"a {kind.__name__}",
        kind,
        encode=lambda member: member.value,
        decode=kind,
        json=[each for each in json if each is not None],
    )


def _json_type(value: object) -> type | None:
    return type(value) if type(value) in (str, int, bool, float) else None


# --- Kinds of kinds ---------------------------------------------------------------------------------------


def _or_none(kind: Kind) -> Kind:
    return replace(
        kind,
        name=kind.name if kind.name.endswith(" or None") else f"{kind.name} or None",
        encode=lambda value: None if value is None else kind.encode(value),
        decode=lambda value: None if value is None else kind.decode(value),
        json=kind.json | {type(None)},
    )


def _kind_of_union(kinds: Sequence[Kind | None]) -> Kind | None:
    """Return the kind that is one of these, if JSON tells them apart; else nothing is known of its values."""
    known = [kind for kind in kinds if kind is not None]
    json = [each for kind in known for each in kind.json]
    if len(known) < len(kinds) or (len(set(json)) < len(json) and not all(kind.is_plain for kind in known)):
        return None

    def first_that_fits(value: object, conversions: Iterable[Callable[[Any], object]]) -> object:
        for convert in conversions:
            try:
                return convert(value)
            except Unfit:
                continue
        raise Unfit

    return Kind(
        name=" or ".join(kind.name for kind in known),
        encode=lambda value: first_that_fits(value, [kind.encode for kind in known]),
        decode=lambda value: first_that_fits(value, [kind.decode for kind in known]),
        json=frozenset(json),
        is_plain=all(kind.is_plain for kind in known),
    )


def _list_of(kind: Kind | None) -> Kind:
    def convert(value: object, each: Callable[[Any], object]) -> object:
        if not isinstance(value, list | tuple):
            raise Unfit
        return [each(item) for item in value]

    item = kind or _ANYTHING
    return Kind(
        name=f"a list of {item.name.removeprefix('a ').removeprefix('an ')}",
        encode=lambda value: convert(value, item.encode),
        decode=lambda value: convert(value, item.decode),
        json=frozenset({list}),
        is_plain=item.is_plain,
    )


def _dict_of(kind: Kind | None) -> Kind:
    def convert(value: object, each: Callable[[Any], object]) -> object:
        if not isinstance(value, Mapping):
            raise Unfit
        return {name: each(item) for name, item in value.items()}

    item = kind or _ANYTHING
    return Kind(
        name=f"a dict of {item.name.removeprefix('a ').removeprefix('an ')}",
        encode=lambda value: convert(value, item.encode),
        decode=lambda value: convert(value, item.decode),
        json=frozenset({dict}),
        is_plain=item.is_plain,
    )


_ANYTHING = Kind(
    name="anything", encode=lambda value: value, decode=lambda value: value, json=frozenset(), is_plain=True
)

_KINDS: dict[object, Kind] = {
    str: _plain("a str", str),
    int: _plain("an int", int),
    float: _plain("a float", float, int),
    bool: _plain("a bool", bool),
    type(None): _plain("None", type(None)),
    None: _plain("None", type(None)),
    Decimal: _travelling("a Decimal", Decimal, encode=_encode_decimal, decode=_decimal),
    UUID: _travelling("a UUID", UUID, encode=str, decode=UUID),
    datetime: _travelling("a datetime", datetime, encode=datetime.isoformat, decode=datetime.fromisoformat),
    date: _travelling("a date", date, encode=date.isoformat, decode=date.fromisoformat, refuses=(datetime,)),
}
