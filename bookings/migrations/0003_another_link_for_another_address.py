from __future__ import annotations

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("bookings", "0002_guards")]

    operations = [
        migrations.AddField(
            model_name="booking",
            name="link_number",
            field=models.PositiveIntegerField(db_default=0, default=0, editable=False),
        ),
    ]
