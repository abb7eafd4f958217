"""The operating-system user that the server runs as: ourselves, or ``nobody`` when we are root."""

from __future__ import annotations

import errno
import os
import pwd
import stat
import subprocess
from dataclasses import dataclass
from pathlib import Path

from reyes_estancias.postgres.exceptions import AccountUnavailable, DirectoryUnusable

# The caller's PG* and LD_LIBRARY_PATH would lead the server's programs astray; messages stay in English.
CLEAN_ENVIRONMENT = {"LC_ALL": "C", "TZ": "UTC", "PATH": os.defpath}


@dataclass(frozen=True, slots=True)
class Account:
    """The user that owns the server's processes and files.

    ``steps_down`` is true when we are root and the server runs as somebody else.
    """

    uid: int
    gid: int
    steps_down: bool

    def run(self, *command: str | Path, timeout_seconds: float = 120) -> subprocess.CompletedProcess[str]:
        """Run a program as this account, in a clean environment, and return its output.

        Raises:
            AccountUnavailable: this machine does not let root become the account.
            OSError: the program cannot be executed.
        """
        try:
            return subprocess.run(  # noqa: S603 - a fixed program with arguments of our own, no shell
                command,
                check=False,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                timeout=timeout_seconds,
                cwd="/",
                env=CLEAN_ENVIRONMENT,
                user=self.uid if self.steps_down else None,
                group=self.gid if self.steps_down else None,
                extra_groups=[] if self.steps_down else None,
            )
        except OSError as error:
            if self.steps_down and error.errno in {errno.EPERM, errno.EINVAL}:
                raise AccountUnavailable(reason=os.strerror(error.errno)) from error
            raise

    def make_directory(self, path: Path) -> None:
        """Create ``path``, private to this account, unless it exists.

        Raises:
            DirectoryUnusable: it cannot be created.
        """
        try:
            path.mkdir(mode=stat.S_IRWXU, exist_ok=True)
            if self.steps_down:
                os.chown(path, self.uid, self.gid)
        except OSError as error:
            raise DirectoryUnusable(path=path, reason=os.strerror(error.errno or 0)) from error

    def owns_privately(self, path: Path) -> bool:
        """Whether ``path`` is a real directory of this account that nobody else may enter."""
        status = path.lstat()
        return stat.S_ISDIR(status.st_mode) and status.st_uid == self.uid and not status.st_mode & 0o077


def server_account() -> Account:
    """Return the user to run the server as.

    Raises:
        AccountUnavailable: we are root and there is no user ``nobody``.
    """
    if os.geteuid() != 0:
        return Account(uid=os.geteuid(), gid=os.getegid(), steps_down=False)
    try:
        nobody = pwd.getpwnam("nobody")
    except KeyError as error:
        raise AccountUnavailable(reason="there is no such user") from error
    return Account(uid=nobody.pw_uid, gid=nobody.pw_gid, steps_down=True)
