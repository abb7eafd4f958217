"""The HTTP front end: one thread a connection, one write an answer, no lock held while waiting."""

from __future__ import annotations

import contextlib
import json
import logging
import os
import socket
import socketserver
import struct
import threading
import time
from http.client import responses
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from reyes_estancias.local_stripe.control_api import answer_control
from reyes_estancias.local_stripe.core import Admitted, Answer, Core, Request
from reyes_estancias.local_stripe.delivery import Postman
from reyes_estancias.local_stripe.errors import InternalError
from reyes_estancias.local_stripe.hosted import answer_page
from reyes_estancias.local_stripe.journal import Journal
from reyes_estancias.local_stripe.settings import read_settings

logger = logging.getLogger(__name__)

HOST = "127.0.0.1"
LONGEST_BODY = 1_000_000
RESET_ON_CLOSE = struct.pack("ii", 1, 0)

BROKEN_OFF = Answer(0, {}, "", is_reset=True)


class PortInUse(Exception):
    def __init__(self, port: int) -> None:
        self.port = port
        super().__init__(
            f"port {port} on {HOST} is taken: stop what listens there, or give --port another number"
        )


class Service:
    """The core with its journal and its webhooks, safe to call from many threads."""

    def __init__(self, *, state: Path, base_url: str) -> None:
        self._journal = Journal(state)
        self.core = Core(self._journal.store, base_url)
        self.lock = threading.Lock()
        self.postman = Postman(self.core, lock=self.lock, save=self._journal.save)
        self._is_closed = False

    def answer(self, request: Request) -> Answer:
        """Answer a request of any kind; API requests first let the set latency pass, holding no lock."""
        with self.lock:
            if self._is_closed:
                return BROKEN_OFF
            latency = read_settings(self.core.store).latency_ms / 1000
            step = answer_control(self.core, request) or answer_page(self.core, request)
            is_api = step is None
            begun = step or self.core.begin(request)
            self._journal.save()
        if is_api:
            time.sleep(latency + (begun.wait_seconds if isinstance(begun, Admitted) else 0.0))
        answer = self._finish(begun) if isinstance(begun, Admitted) else begun
        self.postman.wake()
        time.sleep(answer.wait_seconds)
        return answer

    def close(self) -> None:
        """Act on nothing more; requests still waiting are broken off."""
        self.postman.stop()
        with self.lock:
            self._is_closed = True
            self._journal.close()

    def _finish(self, admitted: Admitted) -> Answer:
        with self.lock:
            if self._is_closed:
                return BROKEN_OFF
            answer = self.core.finish(admitted, now=time.time())
            self._journal.save()
        return answer


class Server(ThreadingHTTPServer):
    """Listens on 127.0.0.1 only."""

    daemon_threads = True
    request_queue_size = 256
    allow_reuse_address = True

    def __init__(self, *, port: int, state: Path) -> None:
        try:
            super().__init__((HOST, port), Exchange)
        except OSError:
            raise PortInUse(port) from None
        try:
            self.service = Service(state=state, base_url=f"http://{HOST}:{self.server_port}")
        except BaseException:
            self.server_close()
            raise

    def server_bind(self) -> None:
        """Bind without asking the network for this machine's name, as ``HTTPServer`` would."""
        socketserver.TCPServer.server_bind(self)
        self.server_name, self.server_port = HOST, self.socket.getsockname()[1]

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that went away is no news: tests kill theirs on purpose."""
        logger.debug("connection from %s broke off", client_address, exc_info=True)


class Exchange(BaseHTTPRequestHandler):
    """One connection."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1
    timeout = 120
    server: Server

    def do_GET(self) -> None:
        self._exchange()

    def do_POST(self) -> None:
        self._exchange()

    def do_DELETE(self) -> None:
        self._exchange()

    def log_message(self, format: str, *args: object) -> None:
        logger.debug(format, *args)

    def _exchange(self) -> None:
        length = self.headers.get("Content-Length", "0")
        if not length.isdigit() or int(length) > LONGEST_BODY:
            self.close_connection = True
            self._write(
                Answer(413, {"Content-Type": "text/plain"}, "the body is too long or of unknown length")
            )
            return
        body = self.rfile.read(int(length)).decode("utf-8", errors="replace")
        headers = {name.lower(): value for name, value in self.headers.items()}
        request = Request(self.command, self.path, headers, body, time.time())
        answer = self._answer(request)
        if answer.is_reset:
            self._reset()
        else:
            self._write(answer)

    def _answer(self, request: Request) -> Answer:
        try:
            return self.server.service.answer(request)
        except Exception:
            logger.exception("the local Stripe failed at %s %s", request.method, request.path)
            return Answer(
                500, {"Content-Type": "application/json"}, json.dumps(InternalError().to_document())
            )

    def _reset(self) -> None:
        """Break the connection as a dying network does: the client reads a reset, no answer."""
        self.close_connection = True
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET_ON_CLOSE)
        # The handler's own files keep the socket open: detaching the descriptor closes it for good.
        os.close(self.connection.detach())

    def _write(self, answer: Answer) -> None:
        body = answer.body.encode()
        head = [f"HTTP/1.1 {answer.status} {responses.get(answer.status, '')}"]
        fields = answer.headers | {"Content-Length": str(len(body)), "Date": self.date_time_string()}
        head += [f"{name}: {value}" for name, value in fields.items()]
        with contextlib.suppress(ConnectionError):
            self.wfile.write("\r\n".join([*head, "", ""]).encode() + body)
            self.wfile.flush()
