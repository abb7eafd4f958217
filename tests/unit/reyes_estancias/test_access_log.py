"""What gunicorn writes of a request's path."""

from __future__ import annotations

import pytest

from reyes_estancias.access_log import mask_path
from reyes_estancias.visitors import PROBED


@pytest.mark.parametrize(
    ("path", "logged"),
    [
        ("/", "/"),
        ("/propiedades/casa-azul/?llegada=2026-12-24", "/propiedades/casa-azul/"),
        ("/reservas/8mJx0vQ2k9fTzRw4LbnE1A/cambiar/", "/reservas/…/cambiar/"),
        ("/reservas/018f3a5e-7c1d-4c3b-9a55-1f0e6a7b2c3d", "/reservas/…"),
    ],
)
def test_segments_as_long_as_a_token_are_masked(path: str, logged: str):
    assert mask_path(path) == logged


@pytest.mark.parametrize(
    ("address", "is_probed"),
    [
        ("/salud/vivo", True),
        ("/salud/listo?from=uptime", True),
        ("/metrics", True),
        ("/metrics/more", False),
        ("/casas/salud/vivo", False),
        ("/", False),
    ],
)
def test_probes_are_told_from_visits(address: str, is_probed: bool):
    assert bool(PROBED.match(address)) == is_probed
