"""A backup is restored with the guide's own commands, and no guest pays twice, by the bank's statement."""

from __future__ import annotations

import os
import subprocess
import sys
from collections import Counter
from datetime import timedelta
from pathlib import Path

import pytest
from django.db import connections
from django.utils import timezone

from bookings.models import Booking
from payments import memory, tasks
from payments.models import ReconciliationBreak, StripeMemory
from payments.policies import PaymentStatus
from payments.protocols.memory import compare
from procrastinate_tasks.queues.control import is_paused
from reyes_estancias.local_stripe.statement import Movement
from reyes_estancias.postgres.binaries import find_binaries
from tests.acceptance.live_house import BOOKED_AGO, WORKER_SETTINGS, LiveHouse, wait_until
from tests.docs.document import GUIDE, ROOT, commands_of
from tests.factories import BASE_URL, balance_of
from tests.workers.workers import current_database_url, query

HOUR, DAY = timedelta(hours=1), timedelta(days=1)


def commands_of_the_chapter() -> list[str]:
    """Return what the chapter on backups has its reader type, but for the units of a server."""
    before, chapter, _after = _split_guide()
    first = before.count("\n") + 1
    last = first + chapter.count("\n")
    typed = [command.text for command in commands_of(GUIDE) if first <= command.line <= last]
    return [text for text in typed if "systemctl" not in text]


def _split_guide() -> tuple[str, str, str]:
    before, _heading, rest = GUIDE.read_text().partition("## 9. Respaldos y restauración\n")
    chapter, _heading, after = rest.partition("\n## 10. ")
    return before, chapter, after


def follow(commands: list[str], place: Path) -> str:
    environment = {
        **os.environ,
        "DJANGO_SETTINGS_MODULE": WORKER_SETTINGS,
        "DATABASE_URL": current_database_url(),
        "PATH": f"{find_binaries().bindir}:{Path(sys.executable).parent}:{os.environ['PATH']}",
    }
    said = ""
    for text in commands:
        connections.close_all()
        command = text.replace("reyes.dump", str(place / "reyes.dump"))
        ended = _run(command, environment)
        for _ in range(5):  # beside living workers a restore may end in a deadlock, and is typed again
            if "deadlock detected" in ended.stdout:
                ended = _run(command, environment)
        assert ended.returncode == 0, f"{command}: {ended.stdout}"
        said += ended.stdout
    return said


def _run(command: str, environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["bash", "-c", command],
        cwd=ROOT,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )


def back_up(live_house: LiveHouse, place: Path, *, age: timedelta) -> None:
    """Take a backup that is this old by the time it is restored; bookings are made in the past here."""
    compare(gateway=live_house.gateway, now=timezone.now())
    StripeMemory.objects.update(compared_at=timezone.now() - age - BOOKED_AGO)
    follow([text for text in commands_of_the_chapter() if text.startswith("pg_dump")], place)


def restore(place: Path, *, but: str = "pg_dump") -> str:
    return follow(
        [text for text in commands_of_the_chapter() if not text.startswith("pg_dump") and but not in text],
        place,
    )


def charges(live_house: LiveHouse) -> Counter[tuple[str | None, int]]:
    """Count the bank's charges by customer and sum: a second one of the same is a guest who paid twice."""
    lines = [line for line in live_house.control.statement() if line.kind is Movement.CHARGE]
    return Counter((line.customer, line.amount) for line in lines)


def charge_all(bookings: list[Booking]) -> None:
    for booking in bookings:
        assert tasks.charge_balance_for_booking(booking.pk, BASE_URL) == "succeeded"


def test_the_chapter_dumps_restores_and_rebuilds():
    typed = commands_of_the_chapter()

    assert [text.split()[0] for text in typed].count("pg_dump") == 1
    assert any(text.startswith("pg_restore --clean") for text in typed)
    assert "rebuild_from_stripe --apply" in typed[-1]


@pytest.mark.parametrize(
    "age",
    [pytest.param(HOUR, id="one hour old", marks=pytest.mark.slow), pytest.param(DAY, id="one day old")],
)
def test_no_guest_pays_twice_after_a_restore(live_house: LiveHouse, tmp_path: Path, age: timedelta):
    bookings = live_house.book_due(3)
    back_up(live_house, tmp_path, age=age)
    charge_all(bookings)
    lost = live_house.book_due(1) if age == DAY else []
    charge_all(lost)
    taken = charges(live_house)

    said = restore(tmp_path)
    live_house.finish()

    assert charges(live_house) == taken
    assert set(taken.values()) == {1}
    assert [balance_of(booking).status for booking in bookings] == [PaymentStatus.PAID] * 3
    kept = ReconciliationBreak.objects.filter(closed_at__isnull=True, booking=None)
    assert kept.count() == 2 * len(lost)
    assert all(booking.folio in said and booking.folio in each.theirs for booking in lost for each in kept)


def test_a_worker_that_is_started_on_a_restored_backup_charges_nothing_until_it_is_rebuilt(
    live_house: LiveHouse, tmp_path: Path
):
    paid, unpaid = live_house.book_due(2)
    back_up(live_house, tmp_path, age=HOUR)
    charge_all([paid])
    taken = charges(live_house)

    restore(tmp_path, but="rebuild_from_stripe")
    with live_house.worker():
        wait_until(memory.is_locked)
    assert is_paused("payments")
    assert charges(live_house) == taken

    follow(["python manage.py rebuild_from_stripe --apply"], tmp_path)
    live_house.finish()

    live_house.assert_charged_once([paid, unpaid])


# A minute: test_memory_epoch.py restores over a server that runs, the test above is of a worker that starts.
@pytest.mark.slow
def test_workers_that_were_never_stopped_charge_nothing_over_a_restore(live_house: LiveHouse, tmp_path: Path):
    """Nobody told them: they go on in the middle of a shift, and have compared a moment ago."""
    paid, unpaid = live_house.book_due(2)
    query("UPDATE procrastinate_jobs SET scheduled_at = now() + interval '1 hour' RETURNING id")
    back_up(live_house, tmp_path, age=HOUR)
    with live_house.worker():
        wait_until(newly_compared)
        charge_all([paid])
        taken = charges(live_house)

        restore(tmp_path, but="rebuild_from_stripe")
        query("UPDATE procrastinate_jobs SET scheduled_at = now() WHERE status = 'todo' RETURNING id")
        wait_until(memory.is_locked)

        assert charges(live_house) == taken

    follow(["python manage.py rebuild_from_stripe --apply"], tmp_path)
    live_house.finish()

    live_house.assert_charged_once([paid, unpaid])


def newly_compared() -> bool:
    """Say whether a worker has compared: the backup was made as if that were an hour ago."""
    return StripeMemory.objects.filter(compared_at__gt=timezone.now() - HOUR / 2).exists()
