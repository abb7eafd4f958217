"""The drill itself, in namespaces of its own: sets the scene, lets things happen, and judges."""

from __future__ import annotations

import argparse
import pwd
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path

from benchmarks.drill import events
from benchmarks.drill.bouncer import URL as POOLED_URL
from benchmarks.drill.bouncer import running_bouncer
from benchmarks.drill.cluster import Pair, start_pair
from benchmarks.drill.desk import Desk
from benchmarks.drill.events import Scene
from benchmarks.drill.load import Load
from benchmarks.drill.meter import CostOfACharge, cost_of_a_charge, read_meter
from benchmarks.drill.network import OFFICE, add_host, build_bridge
from benchmarks.drill.options import read_options
from benchmarks.drill.report import BEGIN, Drill, render
from benchmarks.drill.timeline import figures_of, peak
from benchmarks.drill.verdict import judge, read_stays
from benchmarks.drill.watch import Watch
from benchmarks.drill.workers import Release, WorkerHost
from benchmarks.due_stays import CHARGE_TASK
from benchmarks.machine import describe_machine, describe_versions, load_average
from benchmarks.patience import DidNotHappen, wait_until
from benchmarks.processes import ROOT
from benchmarks.report import replace_results
from reyes_estancias.local_stripe.control import Control
from reyes_estancias.local_stripe.launcher import RunningSandbox, start_sandbox
from reyes_estancias.postgres.account import server_account

LOGS = ROOT / ".local" / "drill"
REPORT = ROOT / "docs" / "drill.md"
WORKER_HOSTS = 3
_SETTLE_SECONDS = 400.0

_UNFINISHED = """
SELECT (SELECT count(*) FROM procrastinate_jobs WHERE task_name = %(task)s AND status IN ('todo', 'doing'))
    + (SELECT count(*) FROM payments_payment WHERE status <> 'paid')
"""
_ENDS = """
SELECT extract(epoch FROM finished_at)::float8 FROM procrastinate_tasks_jobattempt
WHERE task_name = %(task)s AND outcome = 'succeeded' ORDER BY 1
"""
_TAKEN_OVER = """
SELECT count(*) FROM procrastinate_tasks_jobattempt
WHERE task_name = %(task)s AND outcome IN ('crashed', 'interrupted')
"""
_LATE = "this run is not recorded"


def main() -> int:
    options = read_options()
    shutil.rmtree(LOGS, ignore_errors=True)
    LOGS.mkdir(parents=True)
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.default_int_handler)
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="reyes-drill-")))
        folder.chmod(0o755)
        build_bridge()
        tell("starting the primary, its standby and the local Stripe")
        primary, standby = (add_host(name, number=n) for n, name in enumerate(("db-1", "db-2"), start=11))
        for host in (primary, standby):
            stack.callback(host.kill)
        pair = start_pair(folder=folder, primary=primary, standby=standby)
        stripe = open_stripe(stack, folder=folder, latency_ms=options.latency_ms)
        drill = run(stack, options, pair=pair, stripe=stripe, folder=folder)
    report = render(drill)
    sys.stdout.write(f"{report}\n")
    if options.is_written:
        document = REPORT.read_text(encoding="utf-8")
        REPORT.write_text(replace_results(document, report, begin=BEGIN), encoding="utf-8")
    return 1 if drill.verdict.broken else 0


def open_stripe(stack: ExitStack, *, folder: Path, latency_ms: int) -> RunningSandbox:
    """Start the local Stripe, and the relay by which the hosts reach it."""
    stripe = start_sandbox(state=folder / "stripe.jsonl", latency_ms=latency_ms)
    stack.callback(stripe.stop)
    command = [sys.executable, "-m", "benchmarks.drill.relay", OFFICE, str(port_of(stripe))]
    relay = subprocess.Popen(command, cwd=ROOT)  # noqa: S603 - our own module
    stack.callback(relay.kill)
    return stripe


def port_of(stripe: RunningSandbox) -> int:
    return int(stripe.base_url.rpartition(":")[2])


def run(
    stack: ExitStack, options: argparse.Namespace, *, pair: Pair, stripe: RunningSandbox, folder: Path
) -> Drill:
    """Let everything happen, and return what was seen."""
    first = Release(name="r1", database_url=pair.url())
    migrate(first, stripe=stripe)
    workers = [
        WorkerHost(add_host(f"host-{n}", number=20 + n), LOGS / f"host-{n}.log", port_of(stripe))
        for n in range(1, WORKER_HOSTS + 1)
    ]
    for worker in workers:
        stack.callback(worker.kill)
    desk = Desk(pair.url())
    load, watch = Load(url=pair.url(), control=stripe.control), Watch(url=pair.url())
    stack.callback(load.stop)
    stack.callback(watch.stop)
    load.start()
    watch.start()
    scene = Scene(
        workers=workers,
        pair=pair,
        desk=desk,
        release=first,
        quiet_seconds=options.quiet_seconds,
        tell=tell,
    )
    averages = [load_average()]
    cost = play(scene, options, folder=folder)
    averages.append(load_average())
    settled_in = settle(load, desk, control=stripe.control)
    watch.stop()
    return gather(
        scene,
        options,
        load=load,
        watch=watch,
        stripe=stripe,
        settled_in=settled_in,
        averages=averages,
        cost=cost,
    )


def play(scene: Scene, options: argparse.Namespace, *, folder: Path) -> CostOfACharge:
    """One event after the other; the first primary's counters end with it, so they are read just before."""
    tell("three worker hosts start")
    scene.start()
    first = read_meter(scene.desk)
    events.kill_a_host(scene, way="")
    events.cut_a_network(scene)
    direct = Release(name="r2", database_url=scene.pair.url())
    events.deploy(
        scene, direct, name="a rolling deploy", told="SIGTERM to one host after the other, release `r2`"
    )
    if options.has_bouncer:
        through_bouncer(scene, folder=folder)
    last = read_meter(scene.desk)
    events.fail_over(scene)
    return cost_of_a_charge(first, last)


def through_bouncer(scene: Scene, *, folder: Path) -> None:
    """Deploy onto PgBouncer, kill a host there, and deploy back."""
    user = pwd.getpwuid(server_account().uid).pw_name
    with running_bouncer(primary=scene.pair.primary.host.address, folder=folder, user=user):
        pooled = Release(name="r3", database_url=POOLED_URL, is_pooled=True)
        told = "release `r3` goes through PgBouncer in transaction mode, polling instead of listening"
        events.deploy(scene, pooled, name="a rolling deploy onto PgBouncer", told=told)
        events.kill_a_host(scene, way=", behind PgBouncer")
        tell("back to direct connections")
        events.roll(scene, Release(name="r4", database_url=scene.pair.url()))


def settle(load: Load, desk: Desk, *, control: Control) -> float:
    """Add no more, let the workers finish, and return the seconds that took."""
    tell("the load ends; waiting until nothing is left to do")
    began = time.monotonic()
    load.stop()
    if load.fault is not None:
        raise load.fault
    control.set_latency(milliseconds=0)
    try:
        wait_until(
            lambda: desk.patient_value(_UNFINISHED, {"task": CHARGE_TASK}) == 0,
            what="the end of every charge",
            within=_SETTLE_SECONDS,
        )
    except DidNotHappen as fault:
        tell(str(fault))
    return time.monotonic() - began


def gather(
    scene: Scene,
    options: argparse.Namespace,
    *,
    load: Load,
    watch: Watch,
    stripe: RunningSandbox,
    settled_in: float,
    averages: list[float],
    cost: CostOfACharge,
) -> Drill:
    ends = [at for (at,) in scene.desk.rows(_ENDS, {"task": CHARGE_TASK})]
    return Drill(
        command=options.command,
        machine=[
            describe_machine(),
            describe_versions({"Postgres": scene.pair.version}),
            f"everything on this one machine; the local Stripe takes {options.latency_ms} ms for each answer;"
            f" load average at the beginning {averages[0]:.1f}, at the end {averages[1]:.1f}",
        ],
        events=[figures_of(window, ends=ends, samples=watch.samples) for window in scene.windows],
        verdict=judge(load.stays, read_stays(scene.desk), stripe.control.statement()),
        jobs_taken_over=scene.desk.value(_TAKEN_OVER, {"task": CHARGE_TASK}),
        late_ends_refused=sum(
            worker.log.read_text(errors="replace").count(_LATE) for worker in scene.workers
        ),
        connections=peak(watch.samples, 0, time.time()),
        seconds_to_settle=settled_in,
        cost=cost,
    )


def migrate(release: Release, *, stripe: RunningSandbox) -> None:
    subprocess.run(
        [sys.executable, "manage.py", "migrate", "--no-input", "--verbosity=0"],
        cwd=ROOT,
        env=release.environment(stripe_port=port_of(stripe)),
        check=True,
    )


def tell(line: str) -> None:
    sys.stderr.write(f"{time.strftime('%H:%M:%S')}  {line}\n")
    sys.stderr.flush()


if __name__ == "__main__":
    try:
        sys.exit(main())
    except DidNotHappen as fault:
        sys.exit(f"{fault}. The workers' logs are in {LOGS.relative_to(ROOT)}.")
    except KeyboardInterrupt:
        sys.exit("Stopped; everything is gone.")
