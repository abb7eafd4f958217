"""Forty calls that are wrong in a name or a type.

Each line's ``type: ignore`` is the test: mypy and pyright, told to name those they have no use for, must
refuse the line. When they run, they are refused in a sentence each, but for those that ``ACCEPTED`` holds.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from uuid import UUID

from procrastinate_tasks import Call, defer, defer_many
from tests.typing.shop_tasks import Size, bare, charge, import_rows, nothing, send_receipt

NOON = datetime(2031, 5, 1, 12, tzinfo=UTC)
DAY = date(2031, 5, 1)
KEY = UUID(int=7)

WRONG: list[Callable[[], object]] = [
    lambda: bare.defer(),  # type: ignore
    lambda: bare.defer(order=7),  # type: ignore
    lambda: bare.defer(order_id="7"),  # type: ignore
    lambda: bare.defer(7, 8),  # type: ignore
    lambda: bare.defer(7, "x", "more"),  # type: ignore
    lambda: bare.defer(7, order_id=7),  # type: ignore
    lambda: bare.defer(None),  # type: ignore
    lambda: send_receipt.defer(order_id=7),  # type: ignore
    lambda: send_receipt.defer(order_id=7, email=None),  # type: ignore
    lambda: send_receipt.defer(order_id=7, email="x", copies="2"),  # type: ignore
    lambda: send_receipt.defer(order_id=7, email="x", priority=3),  # type: ignore
    lambda: send_receipt.defer({"order_id": 7, "email": "x"}),  # type: ignore
    lambda: send_receipt.using().defer(order_id=7),  # type: ignore
    lambda: send_receipt.using().defer(order_id=7.5, email="x"),  # type: ignore
    lambda: send_receipt.using().defer(order_id=7, mail="x"),  # type: ignore
    lambda: send_receipt.using(prioritty=3).defer(order_id=7, email="x"),  # type: ignore
    lambda: send_receipt.using(schedule_in=30).defer(order_id=7, email="x"),  # type: ignore
    lambda: send_receipt.using(schedule_at="noon").defer(order_id=7, email="x"),  # type: ignore
    lambda: send_receipt.using(expires_in=60).defer(order_id=7, email="x"),  # type: ignore
    lambda: send_receipt.using(unique_for="1h").defer(order_id=7, email="x"),  # type: ignore
    lambda: send_receipt.using(queue=7).defer(order_id=7, email="x"),  # type: ignore
    lambda: send_receipt.using(priority="high").defer(order_id=7, email="x"),  # type: ignore
    lambda: send_receipt.using(lock=7).defer(order_id=7, email="x"),  # type: ignore
    lambda: send_receipt.using(order_id=7).defer(email="x"),  # type: ignore
    lambda: send_receipt.configure(priority=3).defer(order_id=7),  # type: ignore
    lambda: send_receipt.configure(priority=3).defer(order_id="7", email="x"),  # type: ignore
    lambda: send_receipt.configure(prioritty=3).defer(7, "x"),  # type: ignore
    lambda: defer_many([send_receipt.call(order_id=7)]),  # type: ignore
    lambda: defer_many([send_receipt.call(order_id="7", email="x")]),  # type: ignore
    lambda: defer_many([send_receipt.using(priority=1).call(7, "x", 1, 2)]),  # type: ignore
    lambda: defer_many("typing.bare", [{"order_id": 7}]),  # type: ignore
    lambda: defer_many([Call({"order_id": 7})]),  # type: ignore
    lambda: import_rows.defer(),  # type: ignore
    lambda: import_rows.defer(path=7),  # type: ignore
    lambda: import_rows.using(priority=1).defer(path="rows.csv", skip="3"),  # type: ignore
    lambda: charge.defer(5, DAY, NOON, KEY, Size.SMALL),  # type: ignore
    lambda: charge.defer(Decimal(5), DAY, DAY, KEY, Size.SMALL),  # type: ignore
    lambda: nothing.defer(7),  # type: ignore
    lambda: defer(7),  # type: ignore
    lambda: defer(bare, {"order_id": 7}),  # type: ignore
    lambda: bare.delay(order_id=7),  # type: ignore
    lambda: bare.apply_async((7,)),  # type: ignore
    lambda: bare.differ(order_id=7),  # type: ignore
    lambda: defer("typing.bare", {"order_id": 7}, schedule_in=30),  # type: ignore
    lambda: defer("typing.bare", {"order_id": 7}, expires=timedelta(1)),  # type: ignore
    lambda: defer("typing.bare", ["order_id", 7]),  # type: ignore
]

# As JSON has them, dates and enums are let through: a call by name may come from anywhere.
ACCEPTED: list[Callable[[], object]] = [
    lambda: charge.defer(Decimal(5), "2031-05-01", NOON, KEY, Size.SMALL),  # type: ignore
    lambda: charge.defer(Decimal(5), DAY, NOON, KEY, "s"),  # type: ignore
]
