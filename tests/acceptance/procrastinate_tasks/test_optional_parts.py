"""A project that does not open the viewer, the command line or the seeding loads nothing behind them."""

from __future__ import annotations

import re
from dataclasses import replace

from tests.acceptance.tiny import TinyProject, wait_until

OPTIONAL = re.compile(r"\bprocrastinate_tasks\.(?:viewer|command_line|seeding)\b.*")


def with_django_s_admin(tiny: TinyProject, **extra: str) -> TinyProject:
    """The same project and database, with the admin and without the viewer's site."""
    settings = {"DJANGO_SETTINGS_MODULE": "tests.tiny_project.admin_settings"}
    return replace(tiny, environment={**tiny.environment, **settings, **extra})


def test_a_rendered_template_and_the_checks_load_no_viewer(tiny: TinyProject):
    code = (
        "import sys\n"
        "from django.core.management import call_command\n"
        "from django.test import Client, override_settings\n"
        "with override_settings(ALLOWED_HOSTS=['testserver']):\n"
        "    page = Client().get('/admin/login/').content.decode()\n"
        "call_command('check', verbosity=0)\n"
        "print('csrfmiddlewaretoken' in page, *sorted(sys.modules))"
    )

    done = with_django_s_admin(tiny).run("shell", "--verbosity", "0", "-c", code)

    assert done.returncode == 0, done.stderr
    rendered, *modules = done.stdout.splitlines()[-1].split(" ")
    assert rendered == "True"
    assert "procrastinate_tasks.templatetags.job_viewer" in modules
    assert [name for name in modules if OPTIONAL.search(name)] == []


def test_no_process_of_a_worker_loads_them(tiny: TinyProject):
    project = with_django_s_admin(tiny, PYTHONPROFILEIMPORTTIME="1")
    job_id = tiny.defer("notes.write", text="by a worker beside the admin")

    project.start_worker()
    wait_until(lambda: tiny.status_of(job_id) == "succeeded", what="the job ran")

    imported = tiny.log_path.read_text()
    assert "procrastinate_tasks.worker.claim_loop" in imported, "the interpreter names each import"
    assert "procrastinate_tasks.worker.child.runner" in imported
    assert OPTIONAL.findall(imported) == []
