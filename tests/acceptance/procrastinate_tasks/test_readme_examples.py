"""Every Python example of the README and the pages runs, with the imports that it shows."""

from __future__ import annotations

import pkgutil
import re
from dataclasses import replace

from tests.acceptance.tiny import TinyProject
from tests.tiny_project.readme import README, documents, examples


def test_every_example_runs_in_a_project(tiny: TinyProject):
    environment = {**tiny.environment, "DJANGO_SETTINGS_MODULE": "tests.tiny_project.readme_settings"}

    done = replace(tiny, environment=environment).run("shell", "-c", "import tests.tiny_project.readme_shop")

    assert done.returncode == 0, done.stderr


def test_every_example_but_the_list_of_names_says_its_file():
    assert [file for file, _ in examples()].count("") == 1


def test_every_module_and_class_that_is_named_exists():
    text = "".join(path.read_text() for path in documents())
    rooms = "|".join(path.name for path in README.parent.iterdir() if (path / "__init__.py").exists())
    named = set(re.findall(rf"(?:`|procrastinate_tasks\.)((?:{rooms})\.(?!py\b)[\w.]*\w)", text))

    assert {"actions.policies", "verification.problems.QUEUE_PROBLEMS"} <= named
    for name in named:
        pkgutil.resolve_name(f"procrastinate_tasks.{name}")
