"""Makes the shop of the documents' examples, and uses it: each function is called, on a real database."""

from __future__ import annotations

import sys
import types
import unittest
from typing import Any

from django.contrib.auth.models import User
from django.urls import reverse
from procrastinate.contrib.django import app

import procrastinate_tasks
from procrastinate_tasks.conf import queue_settings
from procrastinate_tasks.jobs.descriptions import JobArgs, find_description
from procrastinate_tasks.models import AuditEntry, Job
from procrastinate_tasks.monitoring.metrics import collect, render
from procrastinate_tasks.schedule.periodic import find_schedule
from procrastinate_tasks.testing import drain_queue, empty_queue
from tests.tiny_project.readme import examples, run

defined: dict[str, dict[str, Any]] = {}
TESTS = ("shop/tests.py", "shop/receipt_tests.py", "shop/live_tests.py")


class Orders:
    """Stands in for the manager of a model that the README does not show."""

    def in_bulk(self, ids: list[int]) -> dict[int, Order]:
        return {pk: Order(pk=pk) for pk in ids}

    def values_list(self, name: str, *, flat: bool) -> list[int]:
        return [7, 8]

    def ids_for(self, term: str) -> list[str]:
        return ["7"] if term == "A-7" else []

    def unpaid(self) -> Orders:
        return self

    def today(self) -> Orders:
        return self

    def count(self) -> int:
        return 11

    def close_old(self) -> int:
        return 3


class Order:
    """A model of the shop."""

    objects = Orders()
    number = "A-7"
    total_minor = 10_000
    email = "ana@example.com"

    def __init__(self, *, pk: int) -> None:
        self.pk = pk

    def save(self) -> None: ...

    def get_admin_url(self) -> str:
        return f"/admin/shop/order/{self.pk}/"


class BankClosed(Exception):
    """What the bank says at night."""


class TooManyRequests(Exception):
    """What it says by day."""

    wait = 60


def answer_like_a_bank(row: str) -> None:
    raise TooManyRequests(row)


BANK = {
    "BankClosed": BankClosed,
    "TooManyRequests": TooManyRequests,
    "is_open": lambda: True,
    "send": answer_like_a_bank,
}


class Booking:
    """A model of the stays."""

    @staticmethod
    def due() -> Orders:
        return Orders()

    @staticmethod
    def expire_holds() -> int:
        return 4


def make() -> None:
    """Execute the modules of the examples, in their order; a later example of a file adds to it."""
    add_module("shop.models", {"Order": Order, "Cart": Order})
    add_module("shop.bank", BANK)
    add_module("stays.models", {"Booking": Booking})
    add_module("stays.payments", {"charge": lambda booking_id, base_url: f"charged {booking_id}"})
    for file, code in examples():
        if file != "settings.py":
            name = file.removesuffix(".py").replace("/", ".") or "shop.example"
            defined.setdefault(file, {}).update(run(code, name=name))
            add_module(name, defined[file])


def add_module(name: str, contents: dict[str, Any]) -> None:
    package, _, own_name = name.rpartition(".")
    module = sys.modules.setdefault(name, types.ModuleType(name))
    vars(module).update(contents)
    if package:
        setattr(sys.modules.setdefault(package, types.ModuleType(package)), own_name, module)


def use() -> None:
    """Call what they define."""
    assert {name for name in defined[""] if name in procrastinate_tasks.__all__} == set(
        procrastinate_tasks.__all__
    )
    assert queue_settings().queue_limits["mail"].concurrency == 5
    assert find_schedule("shop.tasks.close_old_carts").cron_expression == "0 3 * * *"
    assert app.tasks["shop.tasks.close_old_carts"].func() == "closed=3"
    run_its_tests()
    use_guides()
    defined["shop/services.py"]["pay"](Order(pk=7), "ana@example.com")
    defined["shop/receipts.py"]["send_tomorrow"](Order(pk=7))
    defined["shop/operations.py"]["hold_mail"](Job.objects.get(task_name="shop.send_receipt").id)
    defined["shop/repairs.py"]["repair"](User.objects.create(username="ana", is_superuser=True), "a token")
    assert AuditEntry.objects.filter(actor="ana").count() == 6
    use_calls()
    use_descriptions()
    use_monitoring()


def use_calls() -> None:
    pay_later, remind = (defined["shop/services.py"][name] for name in ("pay_later", "remind"))
    before = Job.objects.count()
    pay_later(Order(pk=8), "ana@example.com")
    pay_later(Order(pk=8), "ana@example.com")  # its lock is taken
    assert remind([Order(pk=9), Order(pk=10)]) == 2
    assert Job.objects.count() - before == 1 + 2 + 2
    defined["shop/imports.py"]["import_rows"].defer(path=__file__)
    report = drain_queue(queues=["default"])
    assert (report.retried, report.failed) == (1, 0)


def run_its_tests() -> None:
    shown = {name: case for file in TESTS for name, case in defined[file].items() if name.endswith("Test")}
    assert len(shown) >= 2
    for case in shown.values():
        loaded = unittest.defaultTestLoader.loadTestsFromTestCase(case)
        result = unittest.TextTestRunner(stream=sys.stdout).run(loaded)
        assert (result.testsRun, result.wasSuccessful()) == (1, True), case


def use_guides() -> None:
    """Call what the first screen and the guides show."""
    defined["shop/welcome.py"]["pay"](Order(pk=8))
    assert find_schedule("shop.welcome.close_old_carts").cron_expression == "0 3 * * *"
    defined["shop/buying.py"]["buy"](Order(pk=8), "ana@example.com")
    assert defined["shop/buying.py"]["remind"]([Order(pk=9), Order(pk=10)], "ana@example.com") == 2
    assert defined["shop/vault.py"]["slow_down"]() is True
    assert defined["shop/deliveries.py"]["deliver"].retry_strategy.backoff == 2
    assert find_schedule("shop.nightly.clean#weekly").zone == "Europe/Berlin"
    stays = defined["stays/tasks.py"]
    assert stays["scan_and_charge_balances"]() == "enqueued=2"
    assert stays["mark_expired_holds"]() == "holds_expired=4"
    assert drain_queue().failed == 0
    empty_queue()


def use_descriptions() -> None:
    shown = find_description("shop.send_receipt")
    assert shown is not None
    described = shown.describe([JobArgs(id=1, args={"order_id": 7})])
    assert described[1].sentence == "Send the receipt of order A-7"
    module = defined["shop/job_descriptions.py"]
    assert module["find_order"]("A-7").arguments == {"order_id": ["7"]}
    assert module["find_order"]("nothing") is None
    assert module["read_money_today"]().figures[0].value == "11"


def use_monitoring() -> None:
    (finding,) = defined["shop/monitoring.py"]["find_unpaid"](None)
    assert finding.words == "11 invoices are unpaid."
    assert "shop_orders 11" in render(collect())
    assert reverse("monitoring:metrics") == "/metrics"


make()
use()
