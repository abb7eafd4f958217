"""How long a queue's name may be: each deferred job is told of on a channel that bears it."""

from __future__ import annotations

from procrastinate_tasks.exceptions import InvalidQueueName

# A channel's name has 63 bytes at most, and Procrastinate puts "procrastinate_queue_v1#" before the queue's.
MOST_BYTES = 40


def require_queue_name(queue: str) -> None:
    """Refuses a name that no job could be deferred with.

    Raises:
        InvalidQueueName: It is longer than ``MOST_BYTES``, in UTF-8.
    """
    if len(queue.encode("utf-8", "replace")) > MOST_BYTES:
        raise InvalidQueueName(queue=queue, most_bytes=MOST_BYTES)
