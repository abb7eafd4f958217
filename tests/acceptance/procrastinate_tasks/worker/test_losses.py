"""Children, workers and hosts die: their jobs run again within seconds, and only the guilty pay for it."""

from __future__ import annotations

import signal
from pathlib import Path

from tests.workers.workers import (
    StartedWorker,
    attempts_of,
    count_jobs,
    insert_jobs,
    is_running,
    outcomes_of,
    peak_memory_of,
    query,
    send,
    started_count,
    started_worker,
    status_of,
    wait_for,
)

CHILD_LOST = "procrastinate_tasks.exceptions.ChildLost"


def test_the_jobs_of_a_killed_child_run_again_within_two_seconds(log: Path):
    job_ids = insert_jobs("engine.sleep", {"seconds": 30}, count=2)

    with started_worker(log, "--processes", "1", "--concurrency", "2") as worker:
        wait_for(lambda: count_jobs("doing") == 2)
        (child,) = worker.fork_named("queue child")
        send([child], signal.SIGKILL)

        wait_for(lambda: [started_count(job_id) for job_id in job_ids] == [2, 2], within=2)

        assert [attempts_of(job_id) for job_id in job_ids] == [0, 0]


def test_the_jobs_of_a_killed_worker_run_again_within_two_seconds(log: Path):
    (job_id,) = insert_jobs("engine.sleep", {"seconds": 30})

    with started_worker(log) as worker:
        wait_for(lambda: status_of(job_id) == "doing")
        old_child = worker.fork_named("queue child")[0]
        send(worker.fork_named("queue worker"), signal.SIGKILL)

        wait_for(lambda: started_count(job_id) == 2, within=2)

        assert not is_running(old_child)
        assert attempts_of(job_id) == 0
        assert outcomes_of(job_id) == [("interrupted", "procrastinate_tasks.exceptions.WorkerDied", None)]


def test_a_job_of_a_killed_worker_ends_in_favour_of_a_twin_that_waits(log: Path):
    (job_id,) = insert_jobs("engine.sleep", {"seconds": 30}, queueing_lock="one")

    with started_worker(log, "--queues", "default") as worker:
        wait_for(lambda: status_of(job_id) == "doing")
        (twin,) = insert_jobs("engine.no_op", queueing_lock="one", queue="elsewhere")
        send(worker.fork_named("queue worker"), signal.SIGKILL)

        wait_for(lambda: status_of(job_id) == "failed", within=2)

    assert [row[:2] for row in outcomes_of(job_id)] == [
        ("superseded", "procrastinate_tasks.exceptions.WorkerDied")
    ]
    assert query("SELECT queueing_lock FROM procrastinate_jobs WHERE id = %s", twin) == [("one",)]


def test_the_jobs_of_a_lost_host_run_again_within_five_seconds(log: Path, tmp_path: Path):
    (job_id,) = insert_jobs("engine.sleep", {"seconds": 30})

    with started_worker(log) as lost:
        wait_for(lambda: status_of(job_id) == "doing")
        with started_worker(tmp_path / "other.log"):
            wait_for(lambda: workers_up_for(5) == 2)
            send(lost.pids(), signal.SIGKILL)

            wait_for(lambda: started_count(job_id) == 2, within=5)

    assert outcomes_of(job_id)[0][:2] == ("crashed", "procrastinate_tasks.exceptions.WorkerLost")


def workers_up_for(seconds: float) -> int:
    """How many workers have been registered for so long."""
    rows = query(
        "SELECT count(*) FROM procrastinate_tasks_liveworker WHERE started_at < now() - %s * interval '1 s'",
        seconds,
    )
    return int(rows[0][0])


def test_a_worker_that_was_stopped_and_wakes_cannot_finish_what_it_lost(log: Path, tmp_path: Path):
    with (
        started_worker(tmp_path / "other.log", "--queues", "elsewhere"),
        started_worker(log, "--queues", "default") as stopped,
    ):
        (job_id,) = insert_jobs("engine.sleep", {"seconds": 30})
        wait_for(lambda: status_of(job_id) == "doing")
        send(stopped.pids(), signal.SIGSTOP)
        wait_for(lambda: status_of(job_id) == "todo", within=12)
        query("UPDATE procrastinate_jobs SET queue_name = 'nowhere' RETURNING id")

        send(stopped.pids(), signal.SIGCONT)

        wait_for(lambda: "taken over by another worker" in stopped.read_log())
        (after,) = insert_jobs("engine.no_op")
        wait_for(lambda: status_of(after) == "succeeded")
        assert stopped.process.poll() is None

    assert status_of(job_id) == "todo"
    assert [row[0] for row in outcomes_of(job_id)] == ["crashed"]


def test_a_worker_whose_row_was_pruned_goes_on_and_keeps_its_jobs(log: Path):
    (job_id,) = insert_jobs("engine.sleep", {"seconds": 4})

    with started_worker(log) as worker:
        wait_for(lambda: status_of(job_id) == "doing")
        query("DELETE FROM procrastinate_workers RETURNING id")
        (after,) = insert_jobs("engine.no_op")

        wait_for(lambda: status_of(after) == "succeeded" and status_of(job_id) == "succeeded")

        assert worker.process.poll() is None
    assert started_count(job_id) == 1


def test_a_job_that_kills_its_process_twice_is_parked_with_what_is_known(log: Path):
    (job_id,) = insert_jobs("engine.kill_own_process")

    with started_worker(log):
        wait_for(lambda: status_of(job_id) == "failed")
        (after,) = insert_jobs("engine.no_op")
        wait_for(lambda: status_of(after) == "succeeded")

    assert [row[:2] for row in outcomes_of(job_id)] == [("crashed", CHILD_LOST), ("parked", CHILD_LOST)]
    ((message,),) = query(
        "SELECT message FROM procrastinate_tasks_jobattempt WHERE job_id = %s AND outcome = 'parked'", job_id
    )
    assert "SIGKILL" in message
    assert "peak memory" in message and "peak memory 0 MB" not in message
    assert "about to die of my own hand" in message


def test_neighbours_of_a_job_that_kills_its_process_lose_no_attempt(log: Path):
    (guilty,) = insert_jobs("engine.kill_own_process", {"seconds": 0.3})
    innocent = insert_jobs("engine.sleep", {"seconds": 1}, count=3)

    with started_worker(log, "--concurrency", "4"):
        wait_for(lambda: status_of(guilty) == "failed" and count_jobs("succeeded") == 3)

    assert [attempts_of(job_id) for job_id in innocent] == [1, 1, 1]
    assert [row[0] for row in outcomes_of(guilty)] == ["interrupted", "parked"]
    assert attempts_of(guilty) == 1


def test_a_parked_job_that_is_released_by_hand_gets_two_new_chances(log: Path):
    (job_id,) = insert_jobs("engine.kill_own_process")

    with started_worker(log):
        wait_for(lambda: status_of(job_id) == "failed")
        query("SELECT procrastinate_retry_job_v2(%s, now(), NULL, NULL, NULL)::text", job_id)
        wait_for(lambda: len(outcomes_of(job_id)) == 4 and status_of(job_id) == "failed")

    assert [row[0] for row in outcomes_of(job_id)] == ["crashed", "parked", "crashed", "parked"]


def test_a_child_is_replaced_after_its_share_of_jobs_and_none_is_lost(log: Path):
    insert_jobs("engine.own_pid", count=95)

    with started_worker(log, "--max-jobs", "10", "--concurrency", "3"):
        wait_for(lambda: count_jobs("succeeded") == 95)

    shares = query("SELECT count(*) FROM procrastinate_tasks_jobattempt GROUP BY result")
    assert max(share for (share,) in shares) == 10
    assert sum(share for (share,) in shares) == 95


def test_the_successor_of_a_child_is_there_before_the_child_is_spent(log: Path):
    insert_jobs("engine.own_pid", count=6)

    with started_worker(log, "--max-jobs", "8", "--concurrency", "1") as worker:
        wait_for(lambda: count_jobs("succeeded") == 6)
        wait_for(lambda: len(worker.fork_named("queue child")) == 2)
        children = set(worker.fork_named("queue child"))
        insert_jobs("engine.own_pid", count=4)
        wait_for(lambda: count_jobs("succeeded") == 10)

    shares = dict(query("SELECT result::int, count(*) FROM procrastinate_tasks_jobattempt GROUP BY 1"))
    assert shares.keys() == children
    assert sorted(shares.values()) == [2, 8]


def test_a_leaking_child_is_replaced_before_it_is_ten_percent_over_its_limit(log: Path):
    insert_jobs("engine.leak", {"megabytes": 5}, count=80)

    with started_worker(log, "--max-memory", "150", "--concurrency", "2") as worker:
        wait_for(lambda: count_jobs("succeeded") == 80 or peak_megabytes(worker) > 165)

        assert count_jobs("succeeded") == 80


def peak_megabytes(worker: StartedWorker) -> float:
    """The most that any of its present children ever held, by the kernel's own high-water mark."""
    return max((peak_memory_of(pid) for pid in worker.fork_named("queue child")), default=0) / 1024**2


def test_abort_requests_reach_running_jobs(log: Path):
    (polite,) = insert_jobs("engine.until_aborted")
    (cancelled,) = insert_jobs("engine.async_sleep", {"seconds": 60})

    with started_worker(log):
        wait_for(lambda: count_jobs("doing") == 2)
        for job_id in (polite, cancelled):
            query("SELECT procrastinate_cancel_job_v1(%s, true, false)", job_id)

        wait_for(lambda: count_jobs("aborted") == 2, within=3)


def test_a_running_job_ends_aborted_whatever_it_does(log: Path):
    (deaf,) = insert_jobs("engine.spin")
    (stubborn,) = insert_jobs("engine.swallow")
    (neighbour,) = insert_jobs("engine.async_sleep", {"seconds": 60})

    with started_worker(log, "--processes", "1", "--concurrency", "3"):
        wait_for(lambda: count_jobs("doing") == 3)
        for job_id in (deaf, stubborn):
            query("UPDATE procrastinate_jobs SET abort_requested = true WHERE id = %s RETURNING 1", job_id)

        wait_for(lambda: status_of(deaf) == "aborted", within=5)
        wait_for(lambda: status_of(stubborn) == "aborted", within=15)
        wait_for(lambda: started_count(neighbour) == 2, within=5)

    assert [outcome for outcome, *_ in outcomes_of(stubborn)] == ["aborted"]
    assert [outcome for outcome, *_ in outcomes_of(neighbour)] == ["interrupted"]
    assert attempts_of(neighbour) == 0


def test_with_one_slot_a_job_that_waits_in_c_is_stopped_within_seconds(log: Path):
    (job_id,) = insert_jobs("engine.wait_for_socket")

    with started_worker(log, "--processes", "1", "--concurrency", "1"):
        wait_for(lambda: status_of(job_id) == "doing")
        query("UPDATE procrastinate_jobs SET abort_requested = true WHERE id = %s RETURNING 1", job_id)

        wait_for(lambda: status_of(job_id) == "aborted", within=5)

    assert [outcome for outcome, *_ in outcomes_of(job_id)] == ["aborted"]


def test_a_child_that_cannot_be_heard_any_more_is_lost_and_only_its_silencer_pays(log: Path):
    (guilty,) = insert_jobs("engine.write_garbage", {"seconds": 0.5})
    innocent = insert_jobs("engine.sleep", {"seconds": 2}, count=3)

    with started_worker(log, "--concurrency", "4"):
        wait_for(lambda: status_of(guilty) == "failed" and count_jobs("succeeded") == 3)

    assert [row[0] for row in outcomes_of(guilty)] == ["interrupted", "parked"]
    assert [attempts_of(job_id) for job_id in innocent] == [1, 1, 1]
    ((message,),) = query(
        "SELECT message FROM procrastinate_tasks_jobattempt WHERE job_id = %s AND outcome = 'parked'", guilty
    )
    assert "cannot be read" in message


def test_a_log_handler_that_raises_costs_no_claim_no_end_and_no_rescue(log: Path):
    ends = [*insert_jobs("engine.no_op", count=30), *insert_jobs("engine.fail", {"message": "on purpose"})]
    with started_worker(
        log,
        "--concurrency",
        "2",
        settings_module="tests.workers.begun_settings",
        environment={"BEGUN_AT_LOAD": "log handler"},
    ) as worker:
        wait_for(lambda: count_jobs("succeeded") == 30 and count_jobs("failed") == 1)
        (asleep,) = insert_jobs("engine.sleep", {"seconds": 30})
        wait_for(lambda: status_of(asleep) == "doing")
        send(worker.fork_named("queue child"), signal.SIGKILL)

        wait_for(lambda: started_count(asleep) == 2, within=2)

        assert [started_count(job_id) for job_id in ends] == [1] * len(ends)
        assert "Job failed: engine.fail" in worker.read_log()  # on standard error, for want of the handler
        assert "ended by itself: killed by SIGKILL" in worker.read_log()
