"""``python -m reyes_estancias.postgres stop``: stops the project's embedded server."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from reyes_estancias.postgres import server
from reyes_estancias.postgres.exceptions import PostgresUnavailable

PROJECT = Path(__file__).resolve().parent.parent.parent


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m reyes_estancias.postgres")
    parser.add_argument("command", choices=["stop"])
    parser.add_argument(
        "--if-unused", action="store_true", help="leave it running while another process uses it"
    )
    stop = server.stop_if_unused if parser.parse_args().if_unused else server.stop
    try:
        stopped = stop(project=PROJECT)
    except PostgresUnavailable as error:
        sys.exit(str(error))
    sys.stdout.write("The embedded PostgreSQL is stopped.\n" if stopped else "Nothing was stopped.\n")


if __name__ == "__main__":
    main()
