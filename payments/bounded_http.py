"""HTTP whose answers have an end: one that drips in for minutes, or grows for ever, is no answer.

What ``requests`` calls a timeout bounds each wait for the next byte, and nothing bounds how many there are.
"""

from __future__ import annotations

import io
import threading
import time
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import requests

_CHUNK = 64 * 1024


class BoundedSession:
    """What Stripe's SDK needs of a ``requests.Session``: one for each thread, as the SDK's own are.

    A redirect is answered as it is: Stripe sends none, and to follow one would show our key to another host.
    """

    def __init__(self, *, within: timedelta, most_bytes: int) -> None:
        self._within, self._most_bytes = within.total_seconds(), most_bytes
        self._local = threading.local()

    def request(self, method: str, url: str, **options: Any) -> requests.Response:
        """Ask, and read the whole answer.

        Raises:
            requests.RequestException: there is none, or not within the bounds.
        """
        asked = {**options, "stream": True, "allow_redirects": False}
        response = self._session().request(method, url, **asked)
        try:
            body = b"".join(self._read(response))
        except BaseException:
            response.close()
            raise
        response.raw = io.BytesIO(body)
        return response

    def close(self) -> None:
        """Close this thread's connections."""
        self._session().close()

    def _session(self) -> requests.Session:
        if not hasattr(self._local, "session"):
            self._local.session = requests.Session()
        session: requests.Session = self._local.session
        return session

    def _read(self, response: requests.Response) -> Iterator[bytes]:
        deadline, size = time.monotonic() + self._within, 0
        while chunk := response.raw.read1(_CHUNK, decode_content=True):
            size += len(chunk)
            if size > self._most_bytes:
                raise requests.exceptions.ContentDecodingError(f"more than {self._most_bytes} bytes")
            if time.monotonic() > deadline:
                raise requests.exceptions.ReadTimeout(f"not read within {self._within:.0f} s")
            yield chunk
