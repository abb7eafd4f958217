"""A job process runs what the project registered for its beginning and its end, in a bounded time."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.workers.workers import count_jobs, insert_jobs, started_worker, wait_for

SETTINGS = "tests.workers.hooks_settings"


@pytest.fixture
def hooks_log(tmp_path: Path) -> Path:
    path = tmp_path / "hooks.log"
    path.touch()
    return path


def notes_by_process(hooks_log: Path) -> list[list[str]]:
    """What each process wrote, but for the supervisor at its own end."""
    notes: dict[str, list[str]] = {}
    for line in hooks_log.read_text(encoding="ascii").splitlines():
        pid, what = line.split(" ", 1)
        notes.setdefault(pid, []).append(what)
    return [each for each in notes.values() if "start" in each]


@pytest.mark.parametrize("concurrency", ["1", "3"])
def test_hooks_and_atexit_run_in_each_process_at_recycling_and_at_sigterm(
    log: Path, hooks_log: Path, concurrency: str
):
    insert_jobs("engine.register_exit", count=9)
    options = ["--max-jobs", "4", "--concurrency", concurrency]

    with started_worker(
        log, *options, settings_module=SETTINGS, environment={"HOOKS_LOG": str(hooks_log)}
    ) as worker:
        wait_for(lambda: count_jobs("succeeded") == 9)
        assert worker.stop() == 0

    ended = notes_by_process(hooks_log)
    assert len(ended) >= 3
    assert sum(notes.count("atexit of a job") for notes in ended) == 9
    for notes in ended:
        assert [note for note in notes if note != "atexit of a job"] == ["start", "stop", "atexit"]
    assert "a hook that fails" in log.read_text(encoding="utf-8")


def test_a_hook_that_hangs_holds_up_neither_recycling_nor_the_stop(log: Path, hooks_log: Path):
    insert_jobs("engine.no_op", count=4)
    environment = {"HOOKS_LOG": str(hooks_log), "HANG_AT_STOP": "1"}

    with started_worker(log, "--max-jobs", "2", settings_module=SETTINGS, environment=environment) as worker:
        wait_for(lambda: count_jobs("succeeded") == 4)

        assert worker.stop(within=10) == 0
