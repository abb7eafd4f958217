"""No finished run waits in the outbox until another one ends."""

from __future__ import annotations

import socket
import threading
from unittest.mock import create_autospec

from procrastinate_tasks.jobs.completion import Completion
from procrastinate_tasks.worker.child.outbox import Outbox
from procrastinate_tasks.worker.messages import FrameReader, JobsEnded, OverdueStack

PATIENCE = 10.0


class SlowLink:
    """A link whose first message takes until it is let go."""

    def __init__(self) -> None:
        self.is_sending = threading.Event()
        self.may_go_on = threading.Event()
        self.sent = bytearray()

    def sendall(self, data: bytes) -> None:
        self.is_sending.set()
        assert self.may_go_on.wait(PATIENCE)
        self.sent += data


def test_a_run_that_ends_while_another_message_is_sent_goes_right_after_it():
    link = SlowLink()
    mock = create_autospec(socket.socket, instance=True)
    mock.sendall.side_effect = link.sendall
    outbox = Outbox(mock)
    teller = threading.Thread(target=lambda: outbox.tell(OverdueStack(1, "stack")), daemon=True)
    teller.start()
    assert link.is_sending.wait(PATIENCE)
    end = Completion(2, 1, 0, "succeeded", "succeeded", "engine.no_op", "default", 0.0, 1.0)

    outbox.add(end)
    outbox.flush()
    link.may_go_on.set()
    teller.join(PATIENCE)

    overdue, ended = FrameReader().feed(bytes(link.sent))
    assert isinstance(overdue, OverdueStack)
    assert isinstance(ended, JobsEnded)
    assert ended.ends == [end]
