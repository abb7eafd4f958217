"""``python -m benchmarks.tabs``: what open tabs of the dashboard cost Postgres in a minute.

Each tab asks again every 15 seconds, as a page does that is looked at, in its turn, and says what it has, so
that an unchanged region is answered with a 304. Minutes are real ones. Told is the processor time of the
server's own process, read on this machine. Without ``DATABASE_URL`` a throw-away server is filled first.
"""

from __future__ import annotations

import argparse
import re
import sys
import time
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
_SEEN = re.compile(rb"<time data-as-of datetime=\"([^\"]*)")


def main(arguments: Sequence[str]) -> None:
    options = parse(arguments)
    with a_filled_site(jobs=options.count):
        settings.DEBUG = False
        settings.ALLOWED_HOSTS = [*settings.ALLOWED_HOSTS, "testserver"]
        loads = [load_average()]
        with signed_in() as client:
            tabs = [Tab(client) for _ in range(options.tabs)]
            minutes = [cost_of_a_minute(tabs) for _ in range(options.minutes)]
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
    parser.add_argument("--minutes", type=int, default=5, help="minutes told")
    return parser.parse_args(arguments)


class Tab:
    """An open dashboard: it knows which region it shows, and of when that is."""

    def __init__(self, client: Client) -> None:
        names = ("LIVE_HEADER", "SEEN_HEADER")
        self._live, self._seen = (
            import_string(f"procrastinate_tasks.viewer.rendering.{name}") for name in names
        )
        self._client = client
        self._headers = {self._live: "1"}
        self.refresh()

    def refresh(self) -> bool:
        """Ask again. Return whether nothing was new."""
        answer = self._client.get(reverse("admin:queue_dashboard"), headers=self._headers)
        if answer.status_code == 304:
            return True
        seen = _SEEN.search(answer.content)
        self._headers = {
            self._live: "1",
            "If-None-Match": answer["ETag"],
            self._seen: seen[1].decode() if seen else "",
        }
        return False


def cost_of_a_minute(tabs: Sequence[Tab]) -> tuple[float, int]:
    """Return milliseconds of the server's processor time, and how many refreshes found nothing new."""
    unchanged, before, started = 0, spent_by_the_server(), time.monotonic()
    pause = 60 / (len(tabs) * REFRESHES_A_MINUTE)
    for turn in range(len(tabs) * REFRESHES_A_MINUTE):
        time.sleep(max(started + turn * pause - time.monotonic(), 0))
        unchanged += tabs[turn % len(tabs)].refresh()
    return spent_by_the_server() - before, unchanged


def spent_by_the_server() -> float:
    """Return the milliseconds that this connection's server process has run, from Linux."""
    connection.ensure_connection()
    pid = connection.connection.info.backend_pid
    return int(Path(f"/proc/{pid}/schedstat").read_text().split()[0]) / 1e6


if __name__ == "__main__":
    main(sys.argv[1:])
