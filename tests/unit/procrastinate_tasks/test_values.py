"""What users' code returned or raised is shown within bounds, without a query, and without an error."""

from __future__ import annotations

import itertools
import json
import time
from array import array
from collections import Counter, OrderedDict, UserList, defaultdict, deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any
from unittest.mock import patch

import pytest
from django.contrib.auth.models import Group
from django.db.backends.base.base import BaseDatabaseWrapper
from django.utils.functional import SimpleLazyObject
from django.utils.translation import gettext_lazy
from procrastinate.jobs import Job

from procrastinate_tasks.jobs.attempts import describe_failure, encode_result
from procrastinate_tasks.jobs.values import cannot_be_shown, holds_nul, show, text_of, without_nul

LONG = 10_000_000
A_MOMENT = 0.05


class Endless(BaseException):
    pass


class Unshowable:
    def __repr__(self) -> str:
        raise Endless


class Nameless(type):
    def __getattribute__(cls, name: str) -> Any:
        if name in ("__name__", "__qualname__", "__module__"):
            raise Endless
        return super().__getattribute__(name)


class UnshowableAndNameless(Unshowable, metaclass=Nameless):
    pass


class LoudList(list[Any]):
    def __iter__(self) -> Iterator[Any]:
        raise Endless


class LoudDict(dict[str, Any]):
    def items(self) -> Any:
        raise Endless


class Asking:
    def __repr__(self) -> str:
        return f"{Group.objects.count()} groups"


class AskingError(Exception):
    def __str__(self) -> str:
        return f"{Group.objects.count()} groups: {self.args}"


class Text(str):
    def encode(self, *_: object, **__: object) -> bytes:
        raise Endless

    def replace(self, *_: object, **__: object) -> str:
        raise Endless


def nested(depth: int) -> list[Any]:
    value: list[Any] = []
    for _ in range(depth):
        value = [value]
    return value


def circle() -> list[Any]:
    value: list[Any] = []
    value.append(value)
    return value


def result_of(value: object) -> object:
    return json.loads(encode_result(value, max_bytes=16_384))


def a_job(**arguments: Any) -> Job:
    return Job(
        id=1, queue="q", lock=None, queueing_lock=None, task_name="t", attempts=0, task_kwargs=arguments
    )


def raised(error: BaseException) -> BaseException:
    try:
        raise error
    except BaseException as caught:
        return caught


def takes_less(seconds: float, work: Callable[[], object]) -> bool:
    """Whether one try of three takes less of the processor; the first may have to warm what others use."""
    for _ in range(3):
        began = time.thread_time()
        work()
        if time.thread_time() - began < seconds:
            return True
    return False


# --- Results ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        (Unshowable(), "Unshowable"),
        (UnshowableAndNameless(), "UnshowableAndNameless"),
        (10**5000, "int"),
        (nested(200_000), "list"),
        (circle(), "list"),
    ],
    ids=["repr", "nameless", "number", "nested", "circle"],
)
def test_what_cannot_be_shown_is_named_by_its_type(value: object, kind: str):
    shown = result_of(value)

    assert shown == f"(a value of type {kind} that cannot be shown)"


def test_a_part_that_cannot_be_shown_leaves_the_rest():
    assert show([1, {"a": Unshowable()}]) == "[1, {'a': (a value of type Unshowable that cannot be shown)}]"


@pytest.mark.parametrize(
    "value", [LoudList([1, 2]), LoudDict(a=1), Text("a\x00b")], ids=["list", "dict", "text"]
)
def test_classes_that_rewrite_their_own_reading_are_not_asked(value: object):
    assert result_of(value) is not None


@pytest.mark.parametrize(
    ("value", "stored"),
    [
        (OrderedDict(b=1, a=2), {"b": 1, "a": 2}),
        (defaultdict(list, {"a": [1]}), {"a": [1]}),
        ((1, 2), [1, 2]),
        ({1: "one", None: True}, {"1": "one", "null": True}),
        (frozenset({3}), "frozenset({3})"),
        (set(), "set()"),
        ((object,), "(<class 'object'>,)"),
        (b"bytes", "b'bytes'"),
        (r"C:\u0000", r"C:\u0000"),
        ("\\" + "\x00", "\\\ufffd"),
    ],
)
def test_results_are_stored_as_they_were(value: object, stored: object):
    assert result_of(value) == stored


LAZY: dict[str, Callable[[], object]] = {
    "queryset": Group.objects.all,
    "manager": lambda: Group.objects,
    "lazy object": lambda: SimpleLazyObject(lambda: Group.objects.get(name="x")),
    "held": lambda: [Group.objects.all(), {"a": SimpleLazyObject(Group.objects.get)}],
    "own repr": Asking,
}


@pytest.mark.parametrize("name", list(LAZY))
def test_nothing_that_is_shown_asks_the_database(name: str):
    with (
        patch.object(BaseDatabaseWrapper, "_cursor") as ask,
        patch.object(BaseDatabaseWrapper, "connect") as connect,
    ):
        value = LAZY[name]()

        shown = result_of(value)
        said = [
            text_of(error) for error in (ValueError(value), ValueError("about", value), AskingError(value))
        ]

    assert ask.mock_calls == connect.mock_calls == []
    assert all("cannot be shown" in str(text) for text in (shown, *said))


@pytest.mark.parametrize(
    "value",
    [
        "x" * LONG,
        b"x" * LONG,
        list(range(LONG // 10)),
        [""] * (LONG // 10),
        {number: number for number in range(LONG // 20)},
        set(range(LONG // 20)),
        [[[]] * 1000] * 1000,
        [object()] * (LONG // 10),
        [{1, 2}] * (LONG // 10),
    ],
    ids=["text", "bytes", "numbers", "empty", "dict", "set", "nested", "objects", "sets"],
)
def test_a_large_result_is_not_written_out(value: object):
    assert takes_less(A_MOMENT, lambda: encode_result(value, max_bytes=16_384))
    assert len(encode_result(value, max_bytes=16_384)) <= 16_384


# --- NUL ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "holds"),
    [("\x00", True), (r"\u0000", False), ("\\\x00", True), (r"\\u0000", False), ("a", False)],
)
def test_a_nul_is_told_from_the_text_of_its_escape(text: str, holds: bool):
    encoded = json.dumps(text)

    assert holds_nul(encoded) is holds
    assert json.loads(without_nul(encoded)) == text.replace("\x00", "\ufffd")


# --- Errors -------------------------------------------------------------------------------------------------


class UnshowableError(Exception):
    def __str__(self) -> str:
        raise Endless


class NotText(Exception):
    def __str__(self) -> str:
        return 5  # type: ignore[return-value]


class LoudText(Exception):
    def __str__(self) -> str:
        return Text("loud")


class Misnamed(Exception):
    __module__ = None  # type: ignore[assignment]
    __qualname__ = "Mis\x00named\ud83d"


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (ValueError(), ""),
        (ValueError("plain"), "plain"),
        (ValueError(gettext_lazy("plain")), "plain"),
        (ValueError(1, "two"), "(1, 'two')"),
        (KeyError("key"), "'key'"),
        (OSError(2, "gone", "file"), "[Errno 2] gone: 'file'"),
        (UnshowableError("the argument"), "the argument"),
        (NotText("the argument"), "the argument"),
        (LoudText(), "loud"),
        (ValueError(Unshowable()), "(a value of type Unshowable that cannot be shown)"),
        (ValueError(Group.objects.all()), "(a value of type QuerySet that cannot be shown)"),
    ],
)
def test_an_error_says_what_it_can(error: BaseException, text: str):
    assert text_of(error) == text
    assert describe_failure(raised(error), job=a_job()).message == text


@pytest.mark.parametrize("error", [UnshowableError(), NotText(), LoudText(), Misnamed(), Misnamed("\udfff")])
def test_any_error_can_be_stored(error: Exception):
    failure = describe_failure(raised(error), job=a_job())

    for text in (failure.exception_class, failure.message, failure.traceback, failure.fingerprint):
        assert "\x00" not in text
        assert text.encode("utf-8", "strict") is not None
    assert type(error).__name__[:3] in failure.exception_class
    assert "test_values.py" in failure.traceback


def chained(length: int) -> BaseException:
    error: BaseException = ValueError("first")
    for _ in range(length):
        following = ValueError("next")
        following.__cause__ = error
        error = following
    return raised(error)


def shared_group(depth: int) -> BaseException:
    """One error to which there are more ways than can be walked."""
    error: Exception = ValueError("bottom")
    for _ in range(depth):
        error = ExceptionGroup("group", [error, error])
    return error


def deep_group(depth: int) -> BaseException:
    error: Exception = ValueError("bottom")
    for _ in range(depth):
        error = ExceptionGroup("group", [error])
    return error


def deep(depth: int) -> BaseException:
    def fall(left: int) -> None:
        if not left:
            raise ValueError("bottom")
        fall(left - 1)

    try:
        fall(depth)
    except ValueError as error:
        return error
    raise AssertionError("unreachable")


class EndlessNotes(list[str]):
    def __iter__(self) -> Iterator[str]:
        return itertools.repeat("note")


def noted(notes: object) -> ValueError:
    error = ValueError("noted")
    error.__notes__ = notes  # type: ignore[assignment]
    return error


def test_the_notes_of_an_error_are_told_and_redacted():
    error = ValueError("outer")
    error.__cause__ = noted(["for deadbeef", 7])
    error.add_note("last word")

    told = describe_failure(raised(error), job=a_job(name="deadbeef")).traceback

    assert told.endswith("ValueError: outer\nlast word\n")
    assert "ValueError: noted\nfor [name]\n(a value of type int that cannot be shown)\n" in told


@pytest.mark.parametrize(
    "error",
    [
        ValueError("x" * LONG),
        ValueError("deadbeef" * (LONG // 8)),
        ValueError("1 " * (LONG // 2)),
        ValueError("a@" * (LONG // 2)),
        ValueError("a." * (LONG // 2)),
        ValueError("sk_live_" * (LONG // 8)),
        ValueError("ana@" + "b" * LONG),
        ValueError("\n" * LONG),
        noted(["n"] * 1_000_000),
        noted(["n\n" * (LONG // 2)]),
        noted(EndlessNotes()),
        ExceptionGroup("group", [ValueError("x" * (LONG // 10)) for _ in range(10)]),
        chained(4_000),
        deep(900),
        ExceptionGroup("wide", [ValueError(number) for number in range(100_000)]),
        shared_group(60),
        deep_group(1_000),
    ],
    ids=[
        *("letter", "word", "digits", "at", "dots", "keys", "host", "lines", "notes", "long note", "endless"),
        *("group", "chain", "deep"),
        *("wide group", "shared group", "deep group"),
    ],
)
def test_a_long_error_is_described_in_a_moment(error: BaseException):
    job = a_job(name="deadbeef", number=48213)

    failure = describe_failure(raised(error), job=job)

    assert len(failure.message) < 3000
    assert len(failure.traceback) < 25_000
    assert takes_less(A_MOMENT, lambda: describe_failure(error, job=job))


class LongBytes(bytes):
    pass


class LongText(str):
    pass


class LongList(list[Any]):
    pass


@dataclass
class Holder:
    held: Any


@dataclass(slots=True)
class SlottedHolder:
    held: Any


_BYTES = b"x" * LONG
_NUMBERS = list(range(LONG // 8))

# What Python itself would write out in full, byte by byte, before anybody could shorten it.
MUCH: dict[str, Callable[[], Any]] = {
    "bytes": lambda: _BYTES,
    "bytearray": lambda: bytearray(_BYTES),
    "lines": lambda: "\n" * LONG,
    "array": lambda: array("b", _BYTES),
    "deque": lambda: deque(_NUMBERS),
    "bytes of a class": lambda: LongBytes(_BYTES),
    "text of a class": lambda: LongText("\n" * LONG),
    "list of a class": lambda: LongList(_NUMBERS),
    "dict of a class": lambda: OrderedDict.fromkeys(_NUMBERS),
    "counter": lambda: Counter(_NUMBERS),
    "keys": lambda: dict.fromkeys(_NUMBERS).keys(),
    "namespace": lambda: SimpleNamespace(held=_BYTES),
    "own list": lambda: UserList(_NUMBERS),
    "dataclass": lambda: Holder(_BYTES),
    "dataclass with slots": lambda: SlottedHolder(_BYTES),
    "inner": lambda: LongList([{"held": (_BYTES,)}]),
    "error": lambda: ValueError(_BYTES),
    "shared group": lambda: shared_group(60),
}
_WAYS: dict[str, Callable[[Any], BaseException]] = {
    "alone": ValueError,
    "beside": lambda value: ValueError("a", value),
    "key": KeyError,
    "system": lambda value: OSError(5, value),
    "system and file": lambda value: with_filename(OSError(5, "no"), value),
    "syntax": SyntaxError,
    "import": ImportError,
    "cause": lambda value: caused_by(KeyError(value)),
    "group": lambda value: ExceptionGroup("group", [KeyError(value)]),
}


def with_filename(error: OSError, name: Any) -> OSError:
    error.filename = name
    return error


def caused_by(cause: BaseException) -> BaseException:
    error = ValueError("short")
    error.__cause__ = cause
    return error


@pytest.mark.parametrize(
    ("kind", "way"),
    [*((kind, "alone") for kind in MUCH), *itertools.product(("bytes", "lines", "array"), _WAYS)],
)
def test_an_error_that_holds_much_is_described_in_a_moment(kind: str, way: str):
    error = raised(_WAYS[way](MUCH[kind]()))
    job = a_job()

    failure = describe_failure(error, job=job)

    assert len(failure.message) < 3000
    assert len(failure.traceback) < 25_000
    assert takes_less(A_MOMENT, lambda: describe_failure(error, job=job))


@pytest.mark.parametrize("kind", MUCH)
def test_a_result_that_holds_much_is_shown_in_a_moment(kind: str):
    value = MUCH[kind]()

    assert takes_less(A_MOMENT, lambda: encode_result({1: value}, max_bytes=1000))


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (ValueError(_BYTES), "b'xxxx"),
        (ValueError("code", 7, _BYTES), "('code', 7, b'xxxx"),
        (KeyError("\n" * LONG), "\n\n\n"),
        (OSError(5, "\n" * LONG), "(5, '\\n"),
        (ValueError(LongText("\n" * LONG), 1), "(a value of type LongText that cannot be shown)"),
    ],
)
def test_of_an_error_that_holds_much_the_beginning_is_told(error: BaseException, text: str):
    assert text in text_of(error)


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (KeyError("a"), "'a'"),
        (OSError(2, "No such file", "a.txt"), "[Errno 2] No such file: 'a.txt'"),
        (ValueError(b"ab"), "b'ab'"),
        (ValueError(LongList([1])), "[1]"),
        (ValueError(Holder(1), 2), "(Holder(held=1), 2)"),
        (ValueError(SlottedHolder(1)), "SlottedHolder(held=1)"),
        (ValueError(OrderedDict(a=1)), str(OrderedDict(a=1))),
    ],
)
def test_an_error_that_holds_little_says_what_python_says(error: BaseException, text: str):
    assert text_of(error) == text


def test_of_a_large_group_the_first_errors_are_told_and_the_others_counted():
    members = [raised(ValueError(f"number {number}")) for number in range(30)]

    failure = describe_failure(raised(BaseExceptionGroup("thirty", members)), job=a_job())

    assert [f"number {number}\n" in failure.traceback for number in (0, 4, 5)] == [True, True, False]
    assert failure.traceback.count("test_values.py") == 6
    assert failure.traceback.endswith("(and 25 more in the group)\n")


def test_an_error_of_a_job_with_many_arguments_is_described_in_a_moment():
    job = a_job(
        ids=[str(number) for number in range(10_000, 25_000)],
        names=["aaa" + str(n) for n in range(2_000, 5_000)],
    )
    error = raised(ValueError("no reply from 12345 of aaa4999"))

    failure = describe_failure(error, job=job)

    assert failure.message == "no reply from [ids] of [names]"
    assert takes_less(2 * A_MOMENT, lambda: describe_failure(error, job=job))


def test_the_sentence_names_the_type():
    assert cannot_be_shown(Unshowable()) == "(a value of type Unshowable that cannot be shown)"
