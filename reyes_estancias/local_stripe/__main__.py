"""``python -m reyes_estancias.local_stripe``: the local Stripe as a process."""

from __future__ import annotations

import argparse
import logging
import os
import signal
import sys
import threading
import time
from pathlib import Path
from types import FrameType

from reyes_estancias.local_stripe.journal import StateFileInUse, StateFileUnreadable
from reyes_estancias.local_stripe.server import PortInUse, Server
from reyes_estancias.local_stripe.settings import change_settings
from reyes_estancias.local_stripe.webhook_endpoints import set_own

FROM_INPUT = "-"


def main() -> int:
    options = _parse_options()
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(name)s %(message)s")
    try:
        server = Server(port=options.port, state=options.state)
    except (PortInUse, StateFileInUse, StateFileUnreadable) as error:
        sys.stderr.write(f"local Stripe: {error}\n")
        return 1
    _configure(server, options)
    _stop_on_signals(server)
    if options.until_stdin_closes:
        threading.Thread(target=_stop_at_end_of_input, args=(server,), daemon=True).start()
    server.service.postman.start()
    sys.stdout.write(f"local Stripe on {server.service.core.base_url} (state in {options.state})\n")
    sys.stdout.flush()
    server.serve_forever(poll_interval=0.1)
    server.server_close()
    server.service.close()
    return 0


def _parse_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m reyes_estancias.local_stripe", description="A local Stripe."
    )
    parser.add_argument("--port", type=int, default=12111, help="on 127.0.0.1; 0 takes a free one")
    parser.add_argument(
        "--state", type=Path, default=Path(".local/stripe.jsonl"), help="file that survives a restart"
    )
    parser.add_argument("--latency-ms", type=int, help="how long each API answer takes (kept in the state)")
    parser.add_argument("--webhook-url", help="send every event there")
    parser.add_argument(
        "--webhook-secret",
        help="sign events with this secret (whsec_…); -: read it from the first line of the input",
    )
    parser.add_argument(
        "--until-stdin-closes", action="store_true", help="end when the process that started this one ends"
    )
    options = parser.parse_args()
    if (options.webhook_url is None) != (options.webhook_secret is None):
        parser.error("--webhook-url and --webhook-secret go together")
    if options.latency_ms is not None and options.latency_ms < 0:
        parser.error("--latency-ms must not be negative")
    if options.webhook_secret == FROM_INPUT:
        options.webhook_secret = sys.stdin.readline().strip()
    return options


def _configure(server: Server, options: argparse.Namespace) -> None:
    core = server.service.core
    if options.latency_ms is not None:
        change_settings(core.store, {"latency_ms": options.latency_ms})
    if options.webhook_url is not None:
        core.run(
            lambda call: set_own(call, url=options.webhook_url, secret=options.webhook_secret),
            now=time.time(),
        )


def _stop_on_signals(server: Server) -> None:
    def stop(number: int, frame: FrameType | None) -> None:
        _stop_soon(server)

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)


def _stop_soon(server: Server) -> None:
    # shutdown() waits for serve_forever() to leave its loop, which a signal has just interrupted.
    threading.Thread(target=server.shutdown, daemon=True).start()


def _stop_at_end_of_input(server: Server) -> None:
    while os.read(sys.stdin.fileno(), 1024):
        continue
    _stop_soon(server)


if __name__ == "__main__":
    sys.exit(main())
