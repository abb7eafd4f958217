"""A permission to hand guests what we know of them, or to erase it."""

from __future__ import annotations

from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [
        ("payments", "0022_guest_access"),
    ]

    operations = [
        migrations.AlterModelOptions(
            name="guestemail",
            options={
                "ordering": ("id",),
                "permissions": (("handle_guest_data", "Can export and erase what we know of a guest"),),
                "verbose_name": "e-mail to a guest",
                "verbose_name_plural": "e-mails to guests",
            },
        ),
    ]
