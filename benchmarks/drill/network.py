"""The drill's network: hosts in namespaces of their own, wired to one bridge.

The drill itself runs in a namespace that nothing outside can see (``__main__.py``), so whatever happens to it
the kernel takes the whole network away with it.
"""

from __future__ import annotations

import os
import signal
import subprocess
import time
from contextlib import suppress
from dataclasses import dataclass

NETWORK = "10.77.0.0/24"
PREFIX_LENGTH = 24
OFFICE = "10.77.0.1"  # the bridge's own address: the drill, the local Stripe and PgBouncer
BRIDGE = "office"
_DEATH_PATIENCE_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class Host:
    """A host: a network namespace with one cable to the bridge."""

    name: str
    address: str

    @property
    def cable(self) -> str:
        return f"to-{self.name}"

    def command(self, *command: str) -> list[str]:
        """Return what runs a command on this host, under the host's own name."""
        named = ["sh", "-c", 'hostname "$0" && exec "$@"', self.name]
        return ["ip", "netns", "exec", self.name, "unshare", "--uts", *named, *command]

    def pids(self) -> list[int]:
        """Return every process that runs on this host."""
        return [int(pid) for pid in _run("ip", "netns", "pids", self.name).split()]

    def kill(self) -> None:
        """Kill every process of this host at once, as when its power fails."""
        for pid in self.pids():
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        deadline = time.monotonic() + _DEATH_PATIENCE_SECONDS
        while self.pids() and time.monotonic() < deadline:
            time.sleep(0.02)

    def unplug(self) -> None:
        """Cut the cable: no packet gets in or out, and nobody is told."""
        _run("ip", "link", "set", self.cable, "down")

    def plug_in(self) -> None:
        _run("ip", "link", "set", self.cable, "up")


def build_bridge() -> None:
    """Make the bridge; needs root in a network namespace of its own."""
    _run("ip", "link", "set", "lo", "up")
    _run("ip", "link", "add", BRIDGE, "type", "bridge")
    _run("ip", "address", "add", f"{OFFICE}/{PREFIX_LENGTH}", "dev", BRIDGE)
    _run("ip", "link", "set", BRIDGE, "up")


def add_host(name: str, *, number: int) -> Host:
    """Make a host and wire it to the bridge; its number is the last of its address."""
    host = Host(name, f"{NETWORK.rpartition('.')[0]}.{number}")
    _run("ip", "netns", "add", name)
    _run("ip", "link", "add", host.cable, "type", "veth", "peer", "name", "eth0", "netns", name)
    _run("ip", "link", "set", host.cable, "master", BRIDGE, "up")
    inside = ("ip", "-netns", name)
    _run(*inside, "link", "set", "lo", "up")
    _run(*inside, "address", "add", f"{host.address}/{PREFIX_LENGTH}", "dev", "eth0")
    _run(*inside, "link", "set", "eth0", "up")
    return host


def _run(*command: str) -> str:
    return subprocess.run(  # noqa: S603 - a fixed program, arguments of our own
        command, check=True, capture_output=True, text=True
    ).stdout
