"""``python -m benchmarks.tabs``: what open tabs of the dashboard cost Postgres in a minute.

Each tab asks again every 15 seconds, as a page does that is looked at, and says what it has, so that an
unchanged region is answered with a 304. Told is the processor time of the server's own process, read on this
machine. Without ``DATABASE_URL`` a throw-away server is filled first.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from django.conf import settings
from django.db import connection
from django.test import Client
from django.urls import reverse
from django.utils.module_loading import import_string

from benchmarks.machine import describe_load, describe_machine, load_average
from benchmarks.pages import a_filled_site, signed_in

REFRESHES_A_MINUTE = 4


def main(arguments: Sequence[str]) -> None:
    options = parse(arguments)
    with a_filled_site(jobs=options.count):
        settings.DEBUG = False
        settings.ALLOWED_HOSTS = [*settings.ALLOWED_HOSTS, "testserver"]
        loads = [load_average()]
        with signed_in() as client:
            minutes = [cost_of_a_minute(client, tabs=options.tabs) for _ in range(options.minutes + 1)][1:]
        loads.append(load_average())
    print(describe_machine(), describe_load(loads), sep="\n")
    costs = ", ".join(f"{spent:.0f}" for spent, _unchanged in minutes)
    unchanged = sum(each for _spent, each in minutes)
    refreshes = options.tabs * REFRESHES_A_MINUTE
    print(f"{options.tabs} tabs, {refreshes} refreshes a minute, {unchanged} answered with a 304 in all")
    print(f"ms of Postgres CPU in each minute: {costs}")


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.tabs", description=(__doc__ or "").partition("\n\n")[2]
    )
    parser.add_argument("--count", type=int, default=200_000, help="jobs, if none are there yet")
    parser.add_argument("--tabs", type=int, default=5, help="open tabs")
    parser.add_argument("--minutes", type=int, default=5, help="minutes told, after one that warms caches")
    return parser.parse_args(arguments)


def cost_of_a_minute(client: Client, *, tabs: int) -> tuple[float, int]:
    """Return milliseconds of the server's processor time, and how many refreshes found nothing new."""
    asks_for_the_region = {import_string("procrastinate_tasks.viewer.rendering.LIVE_HEADER"): "1"}
    address = reverse("admin:queue_dashboard")
    known = client.get(address, headers=asks_for_the_region)["ETag"]
    unchanged, before = 0, spent_by_the_server()
    for _ in range(tabs * REFRESHES_A_MINUTE):
        answer = client.get(address, headers={**asks_for_the_region, "If-None-Match": known})
        unchanged += answer.status_code == 304
        known = answer["ETag"]
    return spent_by_the_server() - before, unchanged


def spent_by_the_server() -> float:
    """Return the milliseconds that this connection's server process has run, from Linux."""
    connection.ensure_connection()
    pid = connection.connection.info.backend_pid
    return int(Path(f"/proc/{pid}/schedstat").read_text().split()[0]) / 1e6


if __name__ == "__main__":
    main(sys.argv[1:])
