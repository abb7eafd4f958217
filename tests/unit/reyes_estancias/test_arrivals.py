"""A request is whole when its head and the body that the head announces are there."""

from __future__ import annotations

import pytest

from reyes_estancias.arrivals import MOST_BODY, MOST_HEAD, MOST_PHOTO, Arrival, Verdict

GET = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"
PHOTO = "POST /admin/bookings/propertyphoto/add/ HTTP/1.1\r\n"
POST = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello"


def take_all(*parts: bytes) -> list[Verdict]:
    arrival = Arrival(deadline=0)
    return [arrival.take(part) for part in parts]


@pytest.mark.parametrize("request_", [GET, POST])
def test_a_request_is_whole_with_its_last_byte_however_it_is_cut(request_: bytes):
    verdicts = take_all(*(request_[place : place + 1] for place in range(len(request_))))

    assert verdicts == [Verdict.WAIT] * (len(request_) - 1) + [Verdict.COMPLETE]
    assert take_all(request_ + b"GET / HTTP/1.1\r\n") == [Verdict.COMPLETE]


@pytest.mark.parametrize(
    ("data", "verdict"),
    [
        (b"GET / HTTP/1.1\r\nX: " + b"a" * MOST_HEAD, Verdict.HEAD_TOO_LARGE),
        (b"GET / HTTP/1.1\r\nX: " + b"a" * MOST_HEAD + b"\r\n\r\n", Verdict.HEAD_TOO_LARGE),
        (f"POST / HTTP/1.1\r\nContent-Length: {MOST_BODY + 1}\r\n\r\n".encode(), Verdict.BODY_TOO_LARGE),
        (b"POST / HTTP/1.1\r\ncontent-LENGTH:\t999999999999999999\r\n\r\n", Verdict.BODY_TOO_LARGE),
        (b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n", Verdict.LENGTH_REQUIRED),
        (b"POST / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 9\r\n\r\nx", Verdict.WAIT),
        (b"POST / HTTP/1.1\r\nContent-Length: -1\r\n\r\n", Verdict.COMPLETE),
        (f"{PHOTO}Content-Length: {MOST_PHOTO}\r\n\r\n".encode(), Verdict.WAIT),
        (f"{PHOTO}Content-Length: {MOST_PHOTO + 1}\r\n\r\n".encode(), Verdict.BODY_TOO_LARGE),
        (f"GET /?{PHOTO}Content-Length: {MOST_BODY + 1}\r\n\r\n".encode(), Verdict.BODY_TOO_LARGE),
        (b"\r\n\r\n", Verdict.COMPLETE),
        (b"", Verdict.WAIT),
    ],
)
def test_what_may_come(data: bytes, verdict: Verdict):
    assert take_all(data) == [verdict]


def test_a_client_that_asks_first_is_noticed():
    arrival = Arrival(deadline=0)

    arrival.take(b"POST / HTTP/1.1\r\nExpect: 100-Continue\r\nContent-Length: 5\r\n\r\n")

    assert arrival.wants_permission
