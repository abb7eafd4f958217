"""Builds the queue app's package, and lends an environment what the tests have installed: no network."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

from tests.architecture.source import REPOSITORY, committed_files

PACKAGE = REPOSITORY / "procrastinate_tasks"


def build_wheel(source: Path, built: Path) -> Path:
    """Return the wheel, built from the sdist, which is built from the files that git keeps."""
    for path in committed_files():
        if path.is_relative_to(PACKAGE):
            copy = source / path.relative_to(PACKAGE)
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(path, copy)
    make_sdist = f"from setuptools import build_meta; build_meta.build_sdist({str(built)!r})"
    run(sys.executable, "-c", make_sdist, cwd=source)
    (sdist,) = built.glob("*.tar.gz")
    offline = ["--no-index", "--no-deps", "--no-build-isolation", "--quiet"]
    run(sys.executable, "-m", "pip", "wheel", *offline, "--wheel-dir", str(built), str(sdist), cwd=source)
    (made,) = built.glob("*.whl")
    return made


def lend_dependencies(environment: Path) -> None:
    """Let an environment import what the tests have installed; its pip takes that for installed, too."""
    (purelib,) = environment.glob("lib/python3*/site-packages")
    dependencies = [path for path in sys.path if path.endswith("site-packages")]
    (purelib / "dependencies.pth").write_text("\n".join(dependencies))


def run(*command: str | Path, cwd: Path) -> str:
    """Run a program that has to end well, and return what it printed."""
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout
