"""A standby that lags is promoted: what its primary committed last is lost, and no guest pays twice."""

from __future__ import annotations

from collections import Counter

import pytest
from django.core.management import call_command
from django.db import connection

from payments import memory, tasks
from payments.models import StripeMemory
from payments.policies import PaymentStatus
from reyes_estancias.local_stripe.statement import Movement
from tests.acceptance.live_house import LiveHouse, at_home_in, wait_until
from tests.factories import BASE_URL, balance_of
from tests.workers.postgres import Server, replicated_servers
from tests.workers.workers import query

pytestmark = pytest.mark.slow  # three servers, minutes: run it with -m slow


def cut_off(primary: Server, standby: Server) -> None:
    """Let the primary wait for no standby, and the standby hear nothing more of it."""
    primary.rows("ALTER SYSTEM SET synchronous_standby_names = ''")
    primary.rows("SELECT pg_reload_conf()")
    ((position,),) = primary.rows("SELECT pg_current_wal_lsn()::text")
    wait_until(lambda: standby.rows("SELECT pg_last_wal_replay_lsn() >= %s::pg_lsn", position) == [(True,)])
    standby.rows("ALTER SYSTEM SET primary_conninfo = ''")
    standby.rows("SELECT pg_reload_conf()")
    wait_until(lambda: not standby.rows("SELECT 1 FROM pg_stat_wal_receiver"))


def charges(live_house: LiveHouse) -> Counter[tuple[str | None, int]]:
    lines = [line for line in live_house.control.statement() if line.kind is Movement.CHARGE]
    return Counter((line.customer, line.amount) for line in lines)


def test_a_standby_that_lost_its_tail_charges_nobody_again(live_house: LiveHouse):
    with replicated_servers() as (primary, standby):
        with at_home_in(primary):
            paid, unpaid = live_house.book_due(2)
            query("UPDATE procrastinate_jobs SET scheduled_at = now() + interval '1 hour' RETURNING id")
            with live_house.worker():
                wait_until(lambda: StripeMemory.objects.filter(compared_at__isnull=False).exists())
            cut_off(primary, standby)
            assert tasks.charge_balance_for_booking(paid.pk, BASE_URL) == "succeeded"
            taken = charges(live_house)
            assert balance_of(paid).status == PaymentStatus.PAID
            connection.close()

        primary.crash()
        standby.promote()
        with at_home_in(standby):
            assert balance_of(paid).status == PaymentStatus.PENDING, "the tail is lost"
            query("UPDATE procrastinate_jobs SET scheduled_at = now() WHERE status = 'todo' RETURNING id")
            with live_house.worker():
                wait_until(memory.is_locked)
            assert charges(live_house) == taken

            call_command("rebuild_from_stripe", "--apply", verbosity=0)
            live_house.finish()

            live_house.assert_charged_once([paid, unpaid])
