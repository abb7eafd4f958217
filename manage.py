#!/usr/bin/env python
"""Django's command line for Reyes Estancias."""

from __future__ import annotations

import os
import sys

from django.core.exceptions import ImproperlyConfigured
from django.core.management import execute_from_command_line

from reyes_estancias.postgres.exceptions import PostgresUnavailable


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "reyes_estancias.settings")
    try:
        execute_from_command_line(sys.argv)
    except (ImproperlyConfigured, PostgresUnavailable) as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
