"""What users' code returned or raised, as text: within bounds, without a query, and without an error.

Nothing here trusts a value: its ``__repr__`` may raise anything, ask the database, or be endless. Classes are
read with ``type``, since ``isinstance`` makes a lazy object load what it stands for.
"""

from __future__ import annotations

import json
import re
from array import array
from collections import ChainMap, OrderedDict, UserDict, UserList, UserString, deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from itertools import chain, islice
from types import SimpleNamespace
from typing import Any

from django.db import connections
from django.db.models import QuerySet
from django.db.models.manager import BaseManager
from django.utils.functional import LazyObject

_LONGEST_SHOWN = 20_000
_DEEPEST_SHOWN = 6
# Python reads JSON some 900 levels deep, Postgres some thousands; nobody reads a hundred.
_DEEPEST_JSON = 100
# Up to here it is counted how long a result is that is too long.
_COUNTED_BYTES = 65_536
_MOST_BITS = 14_000  # Python writes no longer number out
_LAZY = (QuerySet, BaseManager, LazyObject)
_BRACKETS: Mapping[type, tuple[str, str]] = {
    list: ("[", "]"),
    tuple: ("(", ")"),
    set: ("{", "}"),
    frozenset: ("frozenset({", "})"),
    dict: ("{", "}"),
}
# What tells its length, what has parts, and what has them in its attributes: Python would tell all of it.
_TEXTS: tuple[Any, ...] = (str, bytes, bytearray, array)
_VIEWS: tuple[Any, ...] = (type({}.keys()), type({}.values()), type({}.items()))
_PARTS: tuple[Any, ...] = (list, tuple, set, frozenset, dict, deque, *_VIEWS)
_HOLDERS = (SimpleNamespace, UserList, UserDict, UserString, ChainMap)
_MOST_SAID = 20_000
_WAYS_TO_ASK = ("cursor", "chunked_cursor", "ensure_connection")
_PLAIN_ITEMS = (dict.items, OrderedDict.items)
_JSON_ESCAPE = re.compile(r"\\(?:u0000|.)")
_NUL = "\\u0000"


class _NotJson(Exception):
    pass


class _TooLong(Exception):
    pass


def cannot_be_shown(value: object) -> str:
    """Return the sentence that stands for a value which says nothing of itself."""
    return f"(a value of type {name_of(type(value))} that cannot be shown)"


def name_of(kind: type) -> str:
    """Return the name of a class, whatever its metaclass answers who asks for it."""
    name: str = type.__dict__["__name__"].__get__(kind)
    return name


# --- As JSON ------------------------------------------------------------------------------------------------


def encode_value(value: object, *, max_bytes: int, too_long: str) -> str:
    """Return any value as JSON that Postgres and Python can read; what JSON cannot hold, as its ``repr``.

    Args:
        too_long: what is said of a value longer than ``max_bytes``; ``{size}`` is its length in bytes.
    """
    try:
        text = _encode(value, most=max(2 * max_bytes, _COUNTED_BYTES))
    except _TooLong as longer:
        return json.dumps(too_long.format(size=f"more than {longer}"))
    except BaseException:
        text = json.dumps(cannot_be_shown(value))
    encoded = text.encode("utf-8", "replace")
    if len(encoded) > max_bytes:
        return json.dumps(too_long.format(size=len(encoded)))
    return without_nul(encoded.decode())


def holds_nul(json_text: str) -> bool:
    """Tell whether a text in JSON holds a NUL; the six characters of its escape alone are none."""
    return _NUL in json_text and any(found[0] == _NUL for found in _JSON_ESCAPE.finditer(json_text))


def without_nul(json_text: str) -> str:
    """Return JSON with each NUL, which Postgres refuses, as a replacement character."""
    if _NUL not in json_text:
        return json_text
    return _JSON_ESCAPE.sub(lambda found: "\\ufffd" if found[0] == _NUL else found[0], json_text)


def _encode(value: object, *, most: int) -> str:
    try:
        _look_through(value, most=most)
        return json.dumps(value, ensure_ascii=False, allow_nan=False)
    except (_NotJson, TypeError, ValueError):
        text = show(value)
    if len(text) > _LONGEST_SHOWN:
        raise _TooLong(_LONGEST_SHOWN)
    return json.dumps(text, ensure_ascii=False)


def _look_through(value: object, *, most: int) -> None:
    """See to it that the encoder meets only what it knows, and not more than it can do in a moment.

    Raises:
        _NotJson: JSON has no word for a part of it, or the encoder would run users' code.
        _TooLong: its JSON has more than ``most`` bytes.
    """
    room = most
    level: list[object] = [value]
    for _ in range(_DEEPEST_JSON):
        deeper: list[Iterable[object]] = []
        for item in level:
            room -= _least_size(item, deeper)
            if room < 0:
                raise _TooLong(most)
        if not deeper:
            return
        level = list(islice(chain.from_iterable(deeper), most + 1))
    raise RecursionError


def _least_size(value: object, deeper: list[Iterable[object]]) -> int:
    """Return the fewest bytes a value can have in JSON, and put what it holds into ``deeper``."""
    kind = type(value)
    if issubclass(kind, str):
        return 2 + str.__len__(value)  # type: ignore[arg-type]
    if kind is bool or value is None:
        return 4
    if issubclass(kind, float) or (issubclass(kind, int) and int.bit_length(value) < _MOST_BITS):  # type: ignore[arg-type]
        return 2
    if issubclass(kind, list | tuple):
        deeper.append(value)  # type: ignore[arg-type]
        return 2
    if issubclass(kind, dict) and kind.items in _PLAIN_ITEMS:
        deeper += (dict.keys(value), dict.values(value))  # type: ignore[arg-type]
        return 2
    raise _NotJson


# --- As text ------------------------------------------------------------------------------------------------


def show(value: object) -> str:
    """Return what ``repr`` says of a value, or a sentence instead."""
    try:
        with no_queries():
            return _Shower().show(value, _DEEPEST_SHOWN)
    except BaseException:
        return cannot_be_shown(value)


def text_of(error: BaseException) -> str:
    """Return what ``str`` says of an error, or else what its arguments are."""
    try:
        if type(error).__str__ is BaseException.__str__ or holds_much(error):
            return _text_of_arguments(error)
        return _in_peace(lambda: str(error))
    except BaseException:
        return _text_of_arguments(error)


@contextmanager
def no_queries() -> Iterator[None]:
    """Refuse whatever Django would ask its databases in the block, in this thread."""
    with ExitStack() as stack:
        for connection in connections.all():
            stack.enter_context(_refusing(vars(connection)))
        yield


@contextmanager
def _refusing(attributes: dict[str, Any]) -> Iterator[None]:
    replaced = {name: attributes.get(name) for name in _WAYS_TO_ASK}
    attributes.update(dict.fromkeys(_WAYS_TO_ASK, _refuse))
    try:
        yield
    finally:
        for name, method in replaced.items():
            if method is None:
                del attributes[name]
            else:
                attributes[name] = method


def _refuse(*_: object, **__: object) -> None:
    raise RuntimeError("what is shown of a value runs no query")


def _text_of_arguments(error: BaseException) -> str:
    arguments: tuple[object, ...] = BaseException.args.__get__(error)  # type: ignore[attr-defined]
    if len(arguments) != 1:
        return show(arguments) if arguments else ""
    (argument,) = arguments
    if type(argument) in _BRACKETS or issubclass(type(argument), _LAZY):
        return show(argument)
    if type(argument) is not str and says_much(argument):
        return show(argument)
    try:
        return _in_peace(lambda: str(argument))
    except BaseException:
        return cannot_be_shown(argument)


def holds_much(error: BaseException) -> bool:
    """Tell whether Python, which knows how to tell this kind of error, would take long to tell this one."""
    if type(type(error).__str__) is not type(BaseException.__str__):
        return False
    attributes = [vars(kind)[name].__get__(error) for kind, name in _TOLD if issubclass(type(error), kind)]
    arguments: tuple[object, ...] = BaseException.args.__get__(error)  # type: ignore[attr-defined]
    if issubclass(type(error), BaseExceptionGroup):
        arguments = arguments[:1]  # of its members it tells how many they are
    return says_much([*arguments, *attributes])


_TOLD = (
    *((OSError, name) for name in ("strerror", "filename", "filename2")),
    *((SyntaxError, name) for name in ("msg", "filename", "text")),
    (ImportError, "msg"),
)


def says_much(value: object) -> bool:
    """Tell whether what Python says of a value of a kind of its own is long; no code of the value is run."""
    room = _MOST_SAID
    waiting: list[Iterator[object]] = [iter((value,))]
    while waiting:
        item = next(waiting[-1], waiting)
        if item is waiting:
            waiting.pop()
            continue
        inside, length = _look_into(item)
        room -= length
        if room < 0:
            return True
        if len(waiting) < _DEEPEST_JSON:
            waiting.append(iter(inside))
    return False


def _look_into(value: Any) -> tuple[Iterable[object], int]:
    """Return what is in a value, and at least how long it is itself."""
    kind = type(value)
    for base in _TEXTS:
        if issubclass(kind, base):
            return (), base.__len__(value)
    for base in _PARTS:
        if issubclass(kind, base):
            items = chain(dict.keys(value), dict.values(value)) if base is dict else base.__iter__(value)
            return items, 2 * base.__len__(value)
    if issubclass(kind, BaseException):
        return BaseException.args.__get__(value), 2  # type: ignore[attr-defined]
    if issubclass(kind, _HOLDERS):
        return object.__getattribute__(value, "__dict__").values(), 2
    if hasattr(kind.__repr__, "__wrapped__"):  # as a dataclass has it that does not tell itself
        fields = getattr(kind, "__dataclass_fields__", ())
        return [object.__getattribute__(value, name) for name in fields], 2
    return (), 2


class _Shower:
    """Writes one value out, part by part, until there is enough of it."""

    def __init__(self) -> None:
        self._room = _LONGEST_SHOWN

    def show(self, value: object, depth: int) -> str:
        kind = type(value)
        if kind in _BRACKETS:
            return self._show_items(value, kind, depth)
        text = self._show_leaf(value)[: self._room + 1]
        self._room -= len(text)
        return text

    def _show_leaf(self, value: object) -> str:
        kind = type(value)
        if kind in (str, bytes, bytearray):
            return repr(value[: self._room + 1])  # type: ignore[index]
        if issubclass(kind, _LAZY) or says_much(value):
            return cannot_be_shown(value)
        try:
            return str.__str__(repr(value))
        except BaseException:
            return cannot_be_shown(value)

    def _show_items(self, value: Any, kind: type, depth: int) -> str:
        opening, closing = _BRACKETS[kind]
        if not value:
            return opening + closing if kind in (list, tuple, dict) else f"{kind.__name__}()"
        shown = list(self._shown_items(value, kind, depth)) if depth else []
        if len(shown) < len(value):
            shown.append("…")
        only = "," if kind is tuple and len(value) == 1 else ""
        return f"{opening}{', '.join(shown)}{only}{closing}"

    def _shown_items(self, value: Any, kind: type, depth: int) -> Iterator[str]:
        for item in value.items() if kind is dict else value:
            if self._room <= 0:
                return
            self._room -= 2
            parts = item if kind is dict else (item,)
            yield ": ".join([self.show(part, depth - 1) for part in parts])


def _in_peace(say: Callable[[], str]) -> str:
    """Let a value speak of itself without a query; whatever kind of text it answers is made a plain one."""
    with no_queries():
        return str.__str__(say())
