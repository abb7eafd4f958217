"""A module that asks the database while the project loads, as careless ones do."""

from __future__ import annotations

from django.db import connection

with connection.cursor() as cursor:
    cursor.execute("SELECT 1")
