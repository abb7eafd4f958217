"""Every documented way to defer, as a type checker must let it pass."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from uuid import UUID

from procrastinate_tasks import Call, defer, defer_many
from tests.typing.shop_tasks import Size, bare, charge, import_rows, nothing, send_receipt

NOON = datetime(2031, 5, 1, 12, tzinfo=UTC)


def defer_each() -> list[int | None]:
    """Defer each once; what is refused at run time would raise."""
    charged = charge.call(Decimal("1.50"), date(2031, 5, 1), NOON, UUID(int=7), size=Size.LARGE)
    defer_many([charged, send_receipt.call(7, "ana@example.com"), nothing.call()])
    defer_many(send_receipt.using(priority=3).call(order_id=pk, email="x") for pk in range(3))
    defer_many("typing.send_receipt", [Call({"order_id": 7, "email": "x"})], priority=2)
    return [
        bare.defer(order_id=7),
        bare.defer(7, "x"),
        send_receipt.defer(7, email="ana@example.com", copies=2),
        send_receipt.configure(queue="slow", schedule_in={"minutes": 5}).defer(order_id=7, email="x"),
        send_receipt.using(
            schedule_in=timedelta(minutes=5), expires_in=timedelta(hours=1), queueing_lock="receipt:7"
        ).defer(order_id=7, email="x"),
        send_receipt.using(unique_for=timedelta(hours=1), unique_key="receipt:7").defer(7, "x"),
        send_receipt.using(schedule_at=NOON, lock="order:7", queue="slow").defer(order_id=7, email="x"),
        import_rows.defer(path="rows.csv", skip=None),
        import_rows.using(priority=5).defer("rows.csv", 3),
        charge.defer(amount=Decimal(5), due=date(2031, 5, 1), at=NOON, key=UUID(int=7), size=Size.SMALL),
        nothing.defer(),
        defer("typing.send_receipt", {"order_id": 7, "email": "x"}, schedule_in=timedelta(minutes=5)),
    ]


async def defer_each_async() -> list[int | None]:
    return [
        await send_receipt.defer_async(7, "x"),
        await send_receipt.using(priority=1).defer_async(order_id=7, email="x"),
        await send_receipt.configure(priority=1).defer_async(order_id=7, email="x"),
    ]


def call_each() -> str:
    return send_receipt(7, "ana@example.com") + bare(order_id=7)
