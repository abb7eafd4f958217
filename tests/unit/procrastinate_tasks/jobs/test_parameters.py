"""How single values travel, there and back, by annotation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from enum import Enum, IntEnum, StrEnum
from typing import Annotated, Any, Literal, NewType, Optional
from uuid import UUID

import pytest

from procrastinate_tasks.jobs.parameters import Parameters, Unfit

OrderId = NewType("OrderId", UUID)


class Colour(Enum):
    RED = "r"
    BLUE = 2


class Word(StrEnum):
    YES = "yes"


class Number(IntEnum):
    ONE = 1


class Pair(Enum):
    BOTH = (1, 2)


def parameters_of(annotation: object, default: object = ...) -> Parameters:
    def function(it): ...

    function.__annotations__ = {"it": annotation}
    if default is not ...:
        function.__defaults__ = (default,)
    return Parameters(function)


KEY = UUID(int=7)
NOON = datetime(2031, 5, 1, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("annotation", "value", "travels"),
    [
        (int, 3, 3),
        (int, True, True),
        (float, 3, 3),
        (str, "x", "x"),
        (Decimal, Decimal("1.50"), "1.50"),
        (date, date(2031, 5, 1), "2031-05-01"),
        (datetime, NOON, "2031-05-01T12:00:00+00:00"),
        (UUID, KEY, str(KEY)),
        (OrderId, KEY, str(KEY)),
        (Annotated[UUID, "a key"], KEY, str(KEY)),
        (Colour, Colour.RED, "r"),
        (Colour, Colour.BLUE, 2),
        (Word, Word.YES, "yes"),
        (Number, Number.ONE, 1),
        (Decimal | None, None, None),
        (Optional[Decimal], Decimal(2), "2"),  # noqa: UP045 - as people write it
        (int | Decimal, Decimal(2), "2"),
        (int | Decimal, 2, 2),
        (Literal["a", 2], 2, 2),
        (list[Decimal], [Decimal(1), Decimal(2)], ["1", "2"]),
        (Sequence[date], (date(2031, 5, 1),), ["2031-05-01"]),
        (dict[str, UUID], {"a": KEY}, {"a": str(KEY)}),
        (Mapping[str, list[Colour]], {"a": [Colour.RED]}, {"a": ["r"]}),
        ("Decimal", Decimal(1), "1"),
    ],
)
def test_a_value_travels_and_comes_back(annotation: object, value: object, travels: object):
    parameters = parameters_of(annotation)

    assert parameters.encode({"it": value}) == {"it": travels}
    came_back = parameters.decode({"it": travels})["it"]
    assert came_back == (list(value) if isinstance(value, tuple) else value)
    assert type(came_back) is (list if isinstance(value, tuple) else type(value))
    assert parameters.encode(parameters.encode({"it": value})) == {"it": travels}


@pytest.mark.parametrize(
    ("annotation", "value"),
    [
        (int, "3"),
        (int, 3.0),
        (int, None),
        (bool, 1),
        (str, 3),
        (Decimal, 3),
        (Decimal, "three"),
        (Decimal, Decimal("Infinity")),
        (Decimal, "1e999999999999999999999"),
        (date, NOON),
        (UUID, "x"),
        (Colour, "green"),
        (Colour, Word.YES),
        (Literal["a"], "b"),
        (list[int], [1, "2"]),
        (list[int], "12"),
        (dict[str, int], {"a": "1"}),
        (int | Decimal, 1.5),
        (None, 0),
    ],
)
def test_what_is_not_of_the_kind_is_refused_without_its_value(annotation: object, value: object):
    with pytest.raises(Unfit) as refusal:
        parameters_of(annotation).encode({"it": value})

    assert str(refusal.value).startswith("it takes ")
    assert "three" not in str(refusal.value)


@pytest.mark.parametrize(
    "annotation",
    [Any, object, Decimal | str, UUID | date, Pair, "OnlyForCheckers", set[int], tuple[int, str], bytes],
)
def test_what_an_annotation_does_not_settle_is_left_to_json(annotation: object):
    value = object()

    assert parameters_of(annotation).encode({"it": value}) == {"it": value}
    assert parameters_of(annotation).decode({"it": value}) == {"it": value}


def test_none_fits_where_it_is_the_default():
    assert parameters_of(int, None).encode({"it": None}) == {"it": None}
