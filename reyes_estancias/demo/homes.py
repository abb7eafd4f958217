"""The homes that the demo lets."""

from __future__ import annotations

from dataclasses import dataclass

from bookings.models import Property


@dataclass(frozen=True, slots=True)
class _Home:
    slug: str
    name: str
    town: str
    address: str
    summary: str
    nightly_rate_minor: int
    capacity: int


_HOMES = (
    _Home(
        "casa-bugambilia",
        "Casa Bugambilia",
        "San Miguel de Allende, Guanajuato",
        "Recreo 21, Centro",
        "Casa colonial con patio, fuente y terraza con vista a la Parroquia. A un paso del Jardín.",
        285_000,
        6,
    ),
    _Home(
        "palapa-del-mar",
        "Palapa del Mar",
        "Zihuatanejo, Guerrero",
        "Playa La Ropa 4",
        "A pie de playa, con hamacas, cocina abierta y una palapa donde siempre corre la brisa.",
        198_000,
        4,
    ),
    _Home(
        "cabana-oyamel",
        "Cabaña Oyamel",
        "Valle de Bravo, Estado de México",
        "Camino al Lago 8, Avándaro",
        "Cabaña de madera entre oyameles, con chimenea y un deck sobre el lago.",
        164_000,
        5,
    ),
    _Home(
        "hacienda-los-laureles",
        "Hacienda Los Laureles",
        "Izamal, Yucatán",
        "Calle 31 núm. 305, Centro",
        "Casco restaurado de una hacienda henequenera, con alberca y jardín de laureles.",
        342_000,
        10,
    ),
    _Home(
        "loft-roma",
        "Loft Roma",
        "Ciudad de México",
        "Orizaba 68, Roma Norte",
        "Loft luminoso en la Roma Norte, a una cuadra de la Plaza Río de Janeiro.",
        121_500,
        2,
    ),
)


_SHARED = {
    "amenities": "Wi-Fi de 100 Mbps\nCocina equipada\nAgua caliente\nRopa de cama y toallas\nEstacionamiento",
    "house_rules": "No se permite fumar adentro\nMascotas con aviso\nSin fiestas después de las 22:00",
    "host_name": "Marisol Reyes",
    "host_phone": "+52 55 5555 0142",
    "arrival_instructions": "La llave está en la caja junto a la puerta; su código es 4711.",
}


def make_homes() -> list[Property]:
    """Return the demo's homes, made on the first run."""
    return [
        Property.objects.get_or_create(
            slug=home.slug,
            defaults={
                **_SHARED,
                "bedrooms": max(home.capacity // 2, 1),
                "beds": max(home.capacity // 2, 1),
                "bathrooms": max(home.capacity // 3, 1),
                "address": home.address,
                "name": home.name,
                "town": home.town,
                "summary": home.summary,
                "nightly_rate_minor": home.nightly_rate_minor,
                "capacity": home.capacity,
            },
        )[0]
        for home in _HOMES
    ]
