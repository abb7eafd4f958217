"""The tiny project's settings with those of the README's examples, which are read before Django is set up."""

from __future__ import annotations

from typing import Any

from tests.tiny_project.readme import examples, run
from tests.tiny_project.settings import *  # noqa: F403
from tests.tiny_project.settings import DATABASES as OF_THE_TINY_PROJECT

_shown: dict[str, Any] = {
    name: value
    for file, code in examples()
    if file == "settings.py"
    for name, value in run(code, name="settings").items()
    if name.isupper()
}
assert _shown.pop("INSTALLED_APPS")[1:] == ["procrastinate.contrib.django", "procrastinate_tasks", "shop"]
globals().update(_shown)

DATABASES = {"default": OF_THE_TINY_PROJECT["default"] | _shown["DATABASES"]["default"]}
ROOT_URLCONF = "urls"
