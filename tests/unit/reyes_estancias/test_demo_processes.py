"""The processes that the demo starts are known as its own, and end with it, from their first moment on."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from reyes_estancias.demo.interruption import uninterrupted
from reyes_estancias.demo.leftovers import find_noted, noted
from reyes_estancias.demo.stage import running_worker

SLEEPS = "import time; time.sleep(60)"


def test_a_process_is_known_as_ours_from_the_moment_it_is_started(tmp_path: Path):
    for _ in range(20):
        with subprocess.Popen([sys.executable, "-c", SLEEPS]) as child:
            with noted("worker", pid=child.pid, directory=tmp_path):
                known = find_noted(tmp_path)
            child.kill()

        assert [one.pid for one in known] == [child.pid]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_what_interrupts_the_start_of_a_process_ends_that_process(
    number: signal.Signals, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    (tmp_path / "manage.py").write_text(SLEEPS)
    started: list[subprocess.Popen[bytes]] = []
    start = subprocess.Popen

    def interrupt(*args: Any, **named: Any) -> subprocess.Popen[bytes]:
        started.append(start(*args, **named))
        signal.raise_signal(number)
        return started[0]

    monkeypatch.setattr(subprocess, "Popen", interrupt)
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        with pytest.raises(KeyboardInterrupt), running_worker(project=tmp_path, logs=tmp_path, concurrency=1):
            pytest.fail("the interruption is lost")
    finally:
        signal.signal(signal.SIGTERM, before)
        left = started[0].poll() is None
        started[0].kill()

    assert not left
    assert list(tmp_path.glob("*.pid")) == []


def test_what_is_ignored_is_ignored_again_after_a_stretch_that_nothing_interrupts():
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with uninterrupted():
            signal.raise_signal(signal.SIGINT)
        assert signal.getsignal(signal.SIGINT) == signal.SIG_IGN
    finally:
        signal.signal(signal.SIGINT, before)
