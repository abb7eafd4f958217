"""Stands in for the programs of a server: it refuses what they would, and does what can be done here.

Run as ``python stand_in.py PROGRAM ARGUMENT…``, by the links that ``conftest.py`` puts first on the path.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from urllib.parse import urlsplit

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tests.docs.document import GUIDE, ROOT, files_of

_CONFIG = re.compile(r"(\w+)=(.+)")
_APP = Path("heroku.json")  # what the platform knows of the application, beside the checkout's files
# What the platform does with a push before it lets anybody in: the second begins the Procfile's release.
_BUILD = (["collectstatic", "--no-input", "--dry-run", "--verbosity", "0"], ["check", "--deploy"])


class Refused(Exception):
    """What the real program would not have taken."""


def sudo(arguments: Sequence[str]) -> int:
    """Run the rest; as ``postgres`` the programs of Postgres do it, under a name that is this test's own."""
    words = list(arguments)
    if words[:2] != ["-u", "postgres"]:
        return dispatch(words)
    own = os.environ["GUIDE_DATABASE"]
    words = [own if word == "reyes" else word for word in words[2:]]
    return subprocess.call(words)


def systemctl(arguments: Sequence[str]) -> int:
    verb, *rest = arguments
    known = ("daemon-reload", "enable", "reload", "restart", "start", "status", "stop")
    _require(verb in known, f"systemctl has no {verb} here")
    units = {Path(path).stem for path in files_of(GUIDE) if path.endswith(".service")} | {"nginx"}
    for unit in rest:
        _require(unit == "--now" or unit in units, f"the guide shows no unit {unit}")
    return 0


def supervisorctl(arguments: Sequence[str]) -> int:
    _require(list(arguments) in (["reread"], ["update"], ["status"]), f"supervisorctl {arguments}")
    return 0


def adduser(arguments: Sequence[str]) -> int:
    _require(arguments[-1] == "reyes", f"the units run as reyes, not as {arguments[-1]}")
    return 0


def install(arguments: Sequence[str]) -> int:
    """Make as root the directory that the units run in; anyone else's files are made for real."""
    if "--directory" not in arguments:
        return subprocess.call(["/usr/bin/install", *arguments])
    _require(arguments[-1] == "/srv/reyes/sitio", f"the units run in /srv/reyes/sitio, not {arguments[-1]}")
    return 0


def ln(arguments: Sequence[str]) -> int:
    _, target, link = arguments
    _require(f"`{target}`" in GUIDE.read_text(), f"the guide shows no file {target}")
    _require(link == target.replace("available", "enabled"), f"nginx does not read {link}")
    return 0


def nginx(arguments: Sequence[str]) -> int:
    _require(list(arguments) == ["-t"], f"nginx {arguments}")
    return 0


def certbot(arguments: Sequence[str]) -> int:
    domain = arguments[arguments.index("--domain") + 1]
    _require(
        f"/etc/letsencrypt/live/{domain}/" in GUIDE.read_text(), f"nginx reads no certificate of {domain}"
    )
    return 0


def apt_get(arguments: Sequence[str]) -> int:
    """Let apt itself say whether these packages exist, where it is and knows some."""
    real = shutil.which("apt-get", path="/usr/bin")
    lists = Path("/var/lib/apt/lists")
    if real is None or not lists.is_dir() or not any(lists.glob("*Packages*")):
        return 0
    return subprocess.call([real, "--simulate", *arguments], stdout=subprocess.DEVNULL)


def heroku(arguments: Sequence[str]) -> int:
    """Keep what the application is given: a push is built with that and nothing else."""
    verb, *rest = arguments
    if verb == "create":
        _APP.write_text("{}")
    if verb == "addons:create" and rest[0].startswith("heroku-postgresql"):
        _configure(DATABASE_URL="postgres://owner:key@database.example:5432/app")
    if verb == "run":
        return 0 if rest[:2] == ["python", "manage.py"] else 1
    if verb == "ps:scale":
        declared = {line.partition(":")[0] for line in (ROOT / "Procfile").read_text().splitlines()}
        for word in rest:
            _require(word.partition("=")[0] in declared, f"the Procfile declares no {word}")
    if verb == "config:set":
        known = (ROOT / ".env.example").read_text()
        for word in rest:
            named = _CONFIG.fullmatch(word)
            _require(named is not None and f"{named[1]}=" in known, f".env.example knows no {word}")
            _configure(**{named[1]: named[2]} if named else {})
    _require(verb in ("create", "addons:create", "ps:scale", "config:set"), f"heroku {verb}")
    return 0


def _configure(**given: str) -> None:
    _APP.write_text(json.dumps(json.loads(_APP.read_text()) | given))


def git(arguments: Sequence[str]) -> int:
    """Build what is pushed with what the platform has been given, and refuse it as the platform would."""
    _require(list(arguments) == ["push", "heroku", "main"], f"git {arguments}")
    _require(Path(".python-version").is_file(), "the platform is not told which Python to take")
    environment = {"PATH": os.environ["PATH"], "LANG": "C.UTF-8", **json.loads(_APP.read_text())}
    for step in _BUILD:
        if subprocess.call([sys.executable, "manage.py", *step], env=environment):
            return 1
    return 0


def curl(arguments: Sequence[str]) -> int:
    """Ask the site itself for an address of its own, with the header that is given."""
    address = urlsplit(arguments[-1])
    _require(address.netloc == "reyes.example", f"the guide's site is not {address.netloc}")
    name, _, value = " ".join(arguments).partition("--header ")[2].rpartition(" ")[0].partition(": ")
    ask = (
        "import sys; from django.test import Client; "
        f"answer = Client(headers={ {name: value} if name else {}!r})"
        f".get({address.path!r}, secure=True, headers={{'host': 'reyes.example'}}); "
        "print(answer.content.decode()); sys.exit(answer.status_code >= 400)"
    )
    return subprocess.call([sys.executable, "manage.py", "shell", "--verbosity", "0", "--command", ask])


PROGRAMS: dict[str, Callable[[Sequence[str]], int]] = {
    "adduser": adduser,
    "apt-get": apt_get,
    "certbot": certbot,
    "curl": curl,
    "git": git,
    "heroku": heroku,
    "install": install,
    "ln": ln,
    "nginx": nginx,
    "sudo": sudo,
    "supervisorctl": supervisorctl,
    "systemctl": systemctl,
}


def dispatch(words: Sequence[str]) -> int:
    program, *arguments = words
    _require(program in PROGRAMS, f"no stand-in for {program}")
    return PROGRAMS[program](arguments)


def _require(condition: bool, problem: str) -> None:
    if not condition:
        raise Refused(problem)


if __name__ == "__main__":
    try:
        sys.exit(dispatch(sys.argv[1:]))
    except Refused as refusal:
        sys.exit(f"refused: {refusal}")
