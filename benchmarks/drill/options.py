"""The drill's command line."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence


def read_options(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line, by default this process's."""
    given = sys.argv[1:] if arguments is None else list(arguments)
    parser = argparse.ArgumentParser(
        prog="make drill ARGS=…",
        description="Three worker hosts, a primary, a standby, and what befalls them.",
    )
    parser.add_argument(
        "--quiet-seconds", type=float, default=15.0, help="measured before and after each event (default: 15)"
    )
    parser.add_argument(
        "--latency-ms", type=int, default=300, help="how long the local Stripe takes to answer (default: 300)"
    )
    parser.add_argument(
        "--without-pgbouncer", dest="has_bouncer", action="store_false", help="leave PgBouncer out"
    )
    parser.add_argument(
        "--dry", dest="is_written", action="store_false", help="print the report only, write no file"
    )
    options = parser.parse_args(given)
    options.command = " ".join(["make drill", *([f'ARGS="{" ".join(given)}"'] if given else [])])
    return options
