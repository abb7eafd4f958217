"""Starting the local Stripe as a child, which ends with whoever started it."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from reyes_estancias.local_stripe.control import Control

PROJECT = Path(__file__).resolve().parents[2]
START_SECONDS = 15.0
STOP_SECONDS = 5.0


class SandboxDidNotStart(Exception):
    def __init__(self, reason: str) -> None:
        self.reason = reason.strip()
        super().__init__(f"the local Stripe did not start: {self.reason}")


@dataclass(frozen=True, slots=True)
class RunningSandbox:
    """A local Stripe in a process of its own; what it has to complain about is in the file ``log``."""

    base_url: str
    control: Control
    child: subprocess.Popen[str]
    log: Path

    def stop(self) -> None:
        """End it with SIGTERM, or SIGKILL if it does not listen."""
        self.child.terminate()
        try:
            self.child.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.kill()
        _close_pipes(self.child)

    def kill(self) -> None:
        """End it with kill -9."""
        self.child.kill()
        self.child.wait()
        _close_pipes(self.child)


def start_sandbox(
    *,
    state: Path,
    port: int = 0,
    latency_ms: int = 0,
    webhook_url: str | None = None,
    webhook_secret: str | None = None,
) -> RunningSandbox:
    """Start a local Stripe and wait until it answers. Port 0 takes a free one.

    Raises:
        SandboxDidNotStart: the port is taken, the state file is in use or broken, or it took too long.
    """
    arguments = [f"--port={port}", f"--state={state.resolve()}", f"--latency-ms={latency_ms}"]
    if webhook_url is not None:
        arguments += [f"--webhook-url={webhook_url}", "--webhook-secret=-"]
    log = state.with_name(state.name + ".log")
    child = _spawn(arguments, log)
    if webhook_secret is not None:
        _say(child, webhook_secret)
    base_url = _read_base_url(child, log)
    running = RunningSandbox(base_url, Control(base_url), child, log)
    _wait_until_up(running)
    return running


@contextmanager
def sandbox_running(*, state: Path, latency_ms: int = 0) -> Iterator[RunningSandbox]:
    """Run a local Stripe on a free port for the length of a ``with`` block."""
    running = start_sandbox(state=state, latency_ms=latency_ms)
    try:
        yield running
    finally:
        running.stop()


def _spawn(arguments: list[str], log: Path) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "reyes_estancias.local_stripe", "--until-stdin-closes", *arguments]
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("w") as errors:
        # A session of its own: Ctrl-C reaches who started it alone, whose end it takes for its own.
        return subprocess.Popen(  # noqa: S603 - our own module, arguments of our own
            command,
            cwd=PROJECT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
            start_new_session=True,
        )


def _say(child: subprocess.Popen[str], line: str) -> None:
    """Write a line that is nobody else's business: every user of the machine can read command lines."""
    if child.stdin:
        with suppress(BrokenPipeError):  # it has ended, and what it said is told next
            child.stdin.write(line + "\n")
            child.stdin.flush()


def _read_base_url(child: subprocess.Popen[str], log: Path) -> str:
    """Read the line the child writes once it listens; it ends without one when it cannot."""
    line = child.stdout.readline() if child.stdout else ""
    words = line.split()
    if len(words) > 3 and words[:2] == ["local", "Stripe"]:
        return words[3]
    child.kill()
    child.wait()
    _close_pipes(child)
    raise SandboxDidNotStart(log.read_text().removeprefix("local Stripe: ") or "it said nothing")


def _wait_until_up(running: RunningSandbox) -> None:
    deadline = time.monotonic() + START_SECONDS
    while not running.control.is_up():
        if time.monotonic() > deadline or running.child.poll() is not None:
            running.kill()
            raise SandboxDidNotStart("it does not answer")
        time.sleep(0.02)


def _close_pipes(child: subprocess.Popen[str]) -> None:
    for pipe in (child.stdin, child.stdout):
        if pipe is not None:
            pipe.close()
