"""What is done to the hosts, one event after the other."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from benchmarks.drill.cluster import Pair
from benchmarks.drill.desk import Desk
from benchmarks.drill.timeline import Window
from benchmarks.drill.workers import Release, WorkerHost
from benchmarks.patience import wait_until

_DOWN_SECONDS = 6.0  # longer than others need to notice
_CUT_SECONDS = 15.0

_HOSTS_AT_WORK = """
SELECT count(DISTINCT host) FROM procrastinate_tasks_jobattempt
WHERE outcome = 'succeeded' AND host = ANY(%(hosts)s) AND release = %(release)s
    AND started_at > to_timestamp(%(since)s)
"""


@dataclass(slots=True, kw_only=True)
class Scene:
    """The hosts, the release they run, and what was measured of each event.

    ``quiet_seconds`` is how long before and after each event nothing is done.
    """

    workers: Sequence[WorkerHost]
    pair: Pair
    desk: Desk
    release: Release
    quiet_seconds: float
    tell: Callable[[str], None]
    windows: list[Window] = field(default_factory=list)

    def start(self) -> None:
        for worker in self.workers:
            worker.start(self.release)
        self.wait_for(self.workers, since=time.time())

    def wait_for(self, workers: Sequence[WorkerHost], *, since: float) -> None:
        """Wait until each host has done a job under the present release that it began after ``since``."""
        params = {"hosts": [each.name for each in workers], "release": self.release.name, "since": since}
        names = ", ".join(worker.name for worker in workers)
        wait_until(
            lambda: self.desk.patient_value(_HOSTS_AT_WORK, params) == len(workers),
            what=f"a job done by {names} under release {self.release.name}",
        )

    @contextmanager
    def event(self, name: str, told: str) -> Iterator[None]:
        """Measure what happens in the block, with a quiet time before and after."""
        quiet_from = time.time()
        time.sleep(self.quiet_seconds)
        self.tell(name)
        began = time.time()
        yield
        recovered = time.time()
        time.sleep(self.quiet_seconds)
        self.windows.append(
            Window(
                name=name,
                told=told,
                quiet_from=quiet_from,
                began=began,
                recovered=recovered,
                ended=time.time(),
            )
        )


def kill_a_host(scene: Scene, *, way: str) -> None:
    """Kill every process of one host; its platform starts it again."""
    worker = scene.workers[0]
    told = f"every process of `{worker.name}` gets SIGKILL; started again after {_DOWN_SECONDS:.0f} s"
    with scene.event(f"a host dies{way}", told):
        worker.kill()
        time.sleep(_DOWN_SECONDS)
        worker.start(scene.release)
        scene.wait_for([worker], since=time.time())


def cut_a_network(scene: Scene) -> None:
    """Unplug one host in the middle of its jobs, and plug it in when they have run elsewhere."""
    worker = scene.workers[1]
    told = (
        f"the cable of `{worker.name}` is out for {_CUT_SECONDS:.0f} s in the middle of its jobs,"
        " which others take over"
    )
    with scene.event("a network is cut", told):
        worker.host.unplug()
        time.sleep(_CUT_SECONDS)
        worker.host.plug_in()
        scene.wait_for([worker], since=time.time())


def roll(scene: Scene, release: Release) -> None:
    """Deploy a release: one host after the other is stopped and started."""
    scene.release = release
    for worker in scene.workers:
        worker.stop()
        worker.start(release)
        scene.wait_for([worker], since=time.time())


def deploy(scene: Scene, release: Release, *, name: str, told: str) -> None:
    with scene.event(name, told):
        roll(scene, release)


def fail_over(scene: Scene) -> None:
    """Let the primary's host vanish without a word, and promote the standby."""
    told = "the primary's host loses network and power at once; the standby is promoted"
    with scene.event("the primary fails", told):
        scene.pair.fail_over()
        scene.wait_for(scene.workers, since=time.time())
