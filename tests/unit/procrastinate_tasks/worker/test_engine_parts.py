"""The engine's parts that need neither process nor database."""

from __future__ import annotations

import asyncio
import logging
import os
import socket
import time
from datetime import timedelta
from typing import Any
from unittest.mock import AsyncMock, create_autospec

import pytest
from procrastinate.contrib.django import app
from procrastinate.jobs import DeleteJobCondition

from procrastinate_tasks.jobs.claimed_job import ClaimedJob
from procrastinate_tasks.management.commands.procrastinate import worker_defaults
from procrastinate_tasks.worker.child.control import Control
from procrastinate_tasks.worker.child.process import EXIT_BROKEN, ManyJobsChild
from procrastinate_tasks.worker.children import Children, Running
from procrastinate_tasks.worker.claim_loop import ClaimLoop, Claims
from procrastinate_tasks.worker.completion_loop import CompletionLoop, Waiting
from procrastinate_tasks.worker.connection import WorkerConnection
from procrastinate_tasks.worker.heartbeat import Beat, ClaimAudit
from procrastinate_tasks.worker.losses import given_back
from procrastinate_tasks.worker.messages import Channel, FrameReader, JobsEnded, RunJobs, encode
from procrastinate_tasks.worker.options import InvalidWorkerOption, WorkerOptions, read_options
from procrastinate_tasks.worker.pool import Pool
from procrastinate_tasks.worker.processes import LogTail
from procrastinate_tasks.worker.registration import Registration


def assignment(job_id: int) -> ClaimedJob:
    return ClaimedJob(job_id, "engine.no_op", "default", 0, None, None, "{}", None, 0, 1, 0)


# --- Options ------------------------------------------------------------------------------------------------


def test_the_command_line_wins_over_the_settings():
    options = read_options(defaults={"concurrency": 2, "name": "a"}, given={"concurrency": 8})

    assert (options.concurrency, options.name) == (8, "a")


def test_procrastinates_own_names_of_options_are_understood():
    options = read_options(
        defaults={"fetch_job_polling_interval": 2.5, "shutdown_graceful_timeout": 9},
        given={"queues": ["mail"]},
    )

    assert options.polling_interval == timedelta(seconds=2.5)
    assert options.graceful_timeout == timedelta(seconds=9)
    assert options.queues == ("mail",)


def test_a_worker_beats_at_a_third_of_the_setting(settings: Any):
    settings.PROCRASTINATE_TASKS_ORPHANED_AFTER = timedelta(seconds=120)

    options = read_options(defaults=worker_defaults(), given={})

    assert options.orphaned_after == timedelta(seconds=120)
    assert options.heartbeat_interval == timedelta(seconds=40)


def test_zero_switches_limits_off():
    given = {"max_jobs": 0, "max_memory_mb": 0, "soft_time_limit": 0, "time_limit": 0}

    options = read_options(defaults={}, given=given)

    assert (options.max_jobs, options.max_memory_mb) == (None, None)
    assert (options.soft_time_limit, options.time_limit) == (None, None)


@pytest.mark.parametrize(
    ("given", "complaint"),
    [
        ({"concurrency": 0}, "--concurrency: must be 1 or more, not 0"),
        ({"processes": -1}, "--processes: must be 1 or more, not -1"),
        ({"soft_time_limit": 600, "time_limit": 540}, "--soft-time-limit: 600 s must be less than"),
        ({"graceful_timeout": -1}, "--graceful-timeout: must be more than 0 seconds"),
    ],
)
def test_options_that_make_no_sense_are_refused(given: dict[str, float], complaint: str):
    with pytest.raises(InvalidWorkerOption, match=complaint):
        read_options(defaults={}, given=given)


# --- Frames -------------------------------------------------------------------------------------------------


def test_messages_survive_being_cut_anywhere():
    messages = [RunJobs([assignment(number)]) for number in range(3)]
    stream = b"".join(encode(message) for message in messages)
    reader = FrameReader()

    read = [message for byte in stream for message in reader.feed(bytes([byte]))]

    assert read == messages


# --- The log's tail -----------------------------------------------------------------------------------------


def test_the_tail_keeps_the_last_lines_in_order():
    tail = LogTail()

    for number in range(2000):
        tail.write(f"line {number} of a busy child")

    lines = tail.read().splitlines()
    assert lines == [f"line {number} of a busy child" for number in range(1980, 2000)]


def test_a_line_longer_than_the_tail_leaves_its_end():
    tail = LogTail()

    tail.write("x" * 20_000 + "the end")

    assert tail.read().endswith("the end")


def test_a_nul_byte_in_a_line_does_not_keep_the_tail_out_of_the_database():
    tail = LogTail()

    tail.write("read \x00 from the card reader")

    assert tail.read() == "read \ufffd from the card reader"


# --- Where there is room ------------------------------------------------------------------------------------


def ready_children(options: WorkerOptions) -> Children:
    children = Children(options, on_ends=lambda child, ends: None)
    for number in range(options.processes):
        children.expect(number)
    for child in children:
        child.is_ready = True
        child.transport = create_autospec(asyncio.WriteTransport, instance=True)
    return children


def test_jobs_are_spread_evenly_over_the_children():
    children = ready_children(WorkerOptions(processes=3, concurrency=4))

    unplaced = children.start([assignment(number) for number in range(7)])

    assert unplaced == []
    assert sorted(len(child.running) for child in children) == [2, 2, 3]


def test_no_job_is_handed_back_while_any_child_has_room():
    children = ready_children(WorkerOptions(processes=2, concurrency=8))
    fuller, freer = children
    fuller.running = {number: create_autospec(Running, instance=True) for number in range(100, 107)}

    unplaced = children.start([assignment(number) for number in range(5)])

    assert unplaced == []
    assert (len(fuller.running), len(freer.running)) == (8, 4)


def test_jobs_without_room_are_handed_back():
    children = ready_children(WorkerOptions(processes=1, concurrency=2))

    unplaced = children.start([assignment(number) for number in range(5)])

    assert [each.job_id for each in unplaced] == [2, 3, 4]


def test_a_child_gets_no_more_jobs_than_its_share():
    children = ready_children(WorkerOptions(processes=1, concurrency=10, max_jobs=3))

    unplaced = children.start([assignment(number) for number in range(5)])

    assert len(unplaced) == 2
    assert children.free_slots == 0


def test_jobs_in_retiring_children_count_against_the_capacity():
    children = ready_children(WorkerOptions(processes=2, concurrency=3))
    children.start([assignment(number) for number in range(4)])
    next(iter(children)).is_retiring = True

    assert children.free_slots == 1


@pytest.mark.parametrize("started", [0.0, 1e300, float("nan"), "soon"])
@pytest.mark.parametrize("finished", [0.0, 1e300, float("nan"), "soon"])
def test_a_job_that_replaced_its_process_s_clock_has_run_between_its_start_here_and_now(
    started: Any, finished: Any
):
    told: list[Waiting] = []
    children = Children(WorkerOptions(), on_ends=lambda child, ends: told.extend(ends))
    children.expect(0)
    (child,) = children
    child.running[7] = Running(assignment(7), time.monotonic() - 5, None)
    end = given_back(assignment(7), started_at=started)._replace(finished_at=finished)

    children._on_message(child, JobsEnded([end], 0))

    ((ended, _),) = told
    assert 5 <= ended.finished_at - ended.started_at < 60
    assert ended.finished_at <= time.monotonic()


def test_a_job_whose_clock_is_sound_has_run_when_it_says():
    told: list[Waiting] = []
    children = Children(WorkerOptions(), on_ends=lambda child, ends: told.extend(ends))
    children.expect(0)
    (child,) = children
    now = time.monotonic()
    child.running[7] = Running(assignment(7), now - 5, None)
    end = given_back(assignment(7), started_at=now - 4)._replace(finished_at=now - 1)

    children._on_message(child, JobsEnded([end], 0))

    assert told == [Waiting(end, assignment(7))]


# --- Runs that were lost ------------------------------------------------------------------------------------


def claim_loop(options: WorkerOptions, children: Children, claims: Claims) -> ClaimLoop:
    channel = create_autospec(Channel, instance=True)
    return ClaimLoop(
        options=options,
        claims=claims,
        children=children,
        pool=Pool(options=options, children=children, channel=channel),
        completions=CompletionLoop(
            create_autospec(WorkerConnection, instance=True), delete_jobs=DeleteJobCondition.NEVER
        ),
        registration=create_autospec(Registration, instance=True, worker_id=1),
        open_sessions=AsyncMock(),
        on_dry=lambda: None,
    )


def test_a_job_claimed_again_while_its_lost_run_goes_on_ends_that_run_and_starts_elsewhere():
    options = WorkerOptions(processes=2, concurrency=1)
    children = ready_children(options)
    children.start([assignment(7)])
    first = next(child for child in children if child.running)
    claims = create_autospec(Claims, instance=True)
    claims.claim.return_value = [assignment(7)._replace(attempts=1)]

    asyncio.run(claim_loop(options, children, claims).run_once())

    assert first.kill_reason == "job 7 was taken over by another worker"
    (running,) = [child.running[7] for child in children if child.running]
    assert running.assignment.attempts == 1


def beat_with(held: dict[int, int]) -> Beat:
    return Beat(sent=time.monotonic(), is_registered=True, job_ids_to_abort=[], held=held, stacks_asked=[])


def audit_of(completions: CompletionLoop) -> ClaimAudit:
    children = ready_children(WorkerOptions())
    return ClaimAudit(children=children, completions=completions, pool=create_autospec(Pool, instance=True))


def test_a_claim_counts_as_lost_at_the_third_beat_and_is_given_back_once():
    completions = create_autospec(CompletionLoop, instance=True)
    completions.job_ids.return_value = set()
    audit = audit_of(completions)
    given_back: list[int] = []
    completions.add.side_effect = lambda ends: given_back.extend(each.end.job_id for each in ends)

    after_each_beat = []
    for _ in range(4):
        audit.compare(beat_with({7: 2}), worker_id=1)
        after_each_beat.append(list(given_back))

    assert after_each_beat == [[], [], [7], [7]]


def test_a_claim_whose_answer_came_after_two_beats_begins_its_count_anew():
    completions = create_autospec(CompletionLoop, instance=True)
    completions.job_ids.return_value = set()
    audit = audit_of(completions)
    given_back: list[int] = []
    completions.add.side_effect = lambda ends: given_back.extend(each.end.job_id for each in ends)

    for held in ({7: 2}, {7: 2}, {}, {7: 2}, {7: 2}):
        audit.compare(beat_with(held), worker_id=1)

    assert given_back == []


def test_a_job_reserved_for_a_child_to_come_is_renamed_with_the_running_ones():
    children = ready_children(WorkerOptions())
    children.start([assignment(1)])
    children.expect(9, reserved_for=assignment(2))

    children.rename_claims({1, 2}, worker_id=5)

    running = [each.assignment for child in children for each in child.running.values()]
    reserved = [child.reserved_for for child in children if child.reserved_for]
    assert [(each.job_id, each.worker_id) for each in [*running, *reserved]] == [(1, 5), (2, 5)]


def test_a_child_that_can_no_longer_hear_its_worker_exits(monkeypatch: pytest.MonkeyPatch):
    ours, theirs = socket.socketpair()
    with ours, theirs:
        child = ManyJobsChild(app=app, options=WorkerOptions(), link=theirs)
    monkeypatch.setattr(Control, "run", create_autospec(Control.run, side_effect=IndexError("no slot")))
    exits: list[int] = []
    monkeypatch.setattr(os, "_exit", exits.append)
    monkeypatch.setattr(logging, "shutdown", lambda: None)

    child._run_control()

    assert exits == [EXIT_BROKEN]
