"""What comes through a child's socket is bounded, and what is no frame of ours is said to be none."""

from __future__ import annotations

import pytest

from procrastinate_tasks.jobs.completion import Completion
from procrastinate_tasks.worker.child import outbox
from procrastinate_tasks.worker.messages import (
    ChildReady,
    FrameReader,
    FrameUnreadable,
    JobsEnded,
    encode,
    longest_from_child,
)


@pytest.mark.parametrize(
    "garbage",
    [b"\xff\xff\xff\xff\xff\xff", b"\x00\x00\x00\x00\x00\x05hello", encode(ChildReady(1))[:6] + b"\xff" * 99],
)
def test_what_came_before_garbage_is_read_and_garbage_is_named(garbage: bytes):
    messages = FrameReader(longest=100).feed(encode(ChildReady(1)) + garbage)

    assert next(messages) == ChildReady(1)
    with pytest.raises(FrameUnreadable):
        next(messages)


def test_a_frame_that_is_too_long_is_refused_before_it_has_come():
    frame = encode("x" * 200)

    with pytest.raises(FrameUnreadable):
        list(FrameReader(longest=100).feed(frame[:6]))
    assert list(FrameReader().feed(frame)) == ["x" * 200]


def test_many_ends_travel_in_frames_that_are_short_enough():
    ends = [
        Completion(
            job_id=number,
            worker_id=1,
            attempts=0,
            status="succeeded",
            outcome="succeeded",
            task_name="t",
            queue_name="q",
            started_at=0.0,
            finished_at=1.0,
            result="x" * 500,
        )
        for number in range(9)
    ]

    frames = list(outbox._frames_of(ends, longest=2000))

    assert max(map(len, frames)) <= 2000
    read = [message for frame in frames for message in FrameReader(longest=2000).feed(frame)]
    assert [end for message in read if isinstance(message, JobsEnded) for end in message.ends] == ends


def test_the_longest_frame_has_room_for_the_longest_return_value():
    assert longest_from_child() > 64 * 1024 * 1024
