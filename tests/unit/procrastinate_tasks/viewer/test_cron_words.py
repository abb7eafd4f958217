"""A schedule in words, in both languages."""

from __future__ import annotations

import pytest
from django.utils import translation

from procrastinate_tasks.viewer.cron_words import schedule_in_words

ZONE = "America/Mexico_City"

IN_ENGLISH = {
    "every 90 s": "Every 1 min 30 s",
    "every 0.5 s": "Every 500 ms",
    "* * * * *": "Every minute",
    "*/15 * * * *": "Every 15 minutes",
    "0 * * * *": "Every hour, on the hour",
    "7 * * * *": "Every hour, at minute 7",
    "0 4 * * *": "Every day at 04:00, Mexico City time",
    "30 1 * * *": "Every day at 01:30, Mexico City time",
    "0 9,18 * * *": "Every day at 09:00 and 18:00, Mexico City time",
    "0 3 * * 1-5": "Monday to Friday at 03:00, Mexico City time",
    "0 3 * * mon-fri": "Monday to Friday at 03:00, Mexico City time",
    "0 0 * * 0,3,SAT": "On Sundays, Wednesdays and Saturdays at 00:00, Mexico City time",
    "30 2 1,15 * *": "On days 1 and 15 of each month at 02:30, Mexico City time",
    "0 3 L * *": "On the last day of each month at 03:00, Mexico City time",
    "*/5 8-18 * * 1-5": "Monday to Friday every 5 minutes from 08:00 to 18:59, Mexico City time",
}
AS_WRITTEN = ("0 3 1 1 *", "0 3 1 * 1", "0 0 * * 1#2", "0 3 * * * 30", "5-10 * * * *", "0 */2 * * *")
IN_SPANISH = {
    "every 90 s": "Cada 1 min 30 s",
    "* * * * *": "Cada minuto",
    "*/15 * * * *": "Cada 15 minutos",
    "0 * * * *": "Cada hora en punto",
    "7 * * * *": "Cada hora, en el minuto 7",
    "0 4 * * *": "Todos los días a las 04:00, hora de Ciudad de México",
    "30 1 * * *": "Todos los días a la 01:30, hora de Ciudad de México",
    "0 9,18 * * *": "Todos los días a las 09:00 y 18:00, hora de Ciudad de México",
    "0 3 * * 1-5": "De lunes a viernes a las 03:00, hora de Ciudad de México",
    "0 0 * * 0,3,SAT": "Los domingos, miércoles y sábados a las 00:00, hora de Ciudad de México",
    "30 2 1 * *": "El día 1 de cada mes a las 02:30, hora de Ciudad de México",
    "0 3 L * *": "El último día de cada mes a las 03:00, hora de Ciudad de México",
    "*/5 8-18 * * *": "Todos los días cada 5 minutos de 08:00 a 18:59, hora de Ciudad de México",
}


@pytest.mark.parametrize("cron", IN_ENGLISH)
def test_common_shapes_read_as_a_sentence(cron):
    with translation.override("en"):
        assert schedule_in_words(cron=cron, zone=ZONE) == IN_ENGLISH[cron]


@pytest.mark.parametrize("cron", IN_SPANISH)
def test_they_do_in_spanish_too(cron):
    with translation.override("es-mx"):
        assert schedule_in_words(cron=cron, zone=ZONE) == IN_SPANISH[cron]


@pytest.mark.parametrize("cron", AS_WRITTEN)
def test_an_unusual_shape_is_shown_as_it_is_written(cron):
    with translation.override("en"):
        words = schedule_in_words(cron=cron, zone=ZONE)

    assert words == f"At the times of {cron}, Mexico City time"


@pytest.mark.parametrize(
    ("zone", "words"),
    [("UTC", "UTC"), ("America/Tijuana", "Tijuana time"), ("America/New_York", "New York time")],
)
def test_any_zone_has_a_name(zone, words):
    with translation.override("en"):
        assert schedule_in_words(cron="0 4 * * *", zone=zone) == f"Every day at 04:00, {words}"
