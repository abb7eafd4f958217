"""Who is asking: the address of a visitor, as far as it can be trusted."""

from __future__ import annotations

import hashlib
import hmac
import re
from ipaddress import IPv6Address, ip_address, ip_network

from django.conf import settings
from django.http import HttpRequest

# What probes ask for every few seconds.
PROBED = re.compile(r"/(salud/\w+|metrics)(\?|$)")

# A household or a phone has at least this much of the IPv6 space to itself.
_IPV6_PREFIX = 64


def address_of(request: HttpRequest) -> str:
    """Return the visitor's address; of IPv6 the network.

    Each proxy of ours appends the address it was asked from to ``X-Forwarded-For``; whatever stands before
    those may have been invented by the visitor. ``settings.TRUSTED_PROXIES`` says how many are ours.
    """
    direct: str = request.META.get("REMOTE_ADDR", "")
    hops = [hop.strip() for hop in request.headers.get("X-Forwarded-For", "").split(",")]
    proxies = settings.TRUSTED_PROXIES
    return _network(hops[-proxies] if 0 < proxies <= len(hops) else direct)


def no_address(request: HttpRequest) -> None:
    """Stand for no address: an account is locked whoever guesses, and where from is not kept."""


def pseudonym_of(request: HttpRequest) -> str:
    """Return what stands for a visitor in the database, from which no address can be read."""
    key = settings.SECRET_KEY.encode()
    return hmac.new(key, f"visitor:{address_of(request)}".encode(), hashlib.sha256).hexdigest()[:32]


# Some proxies add the port: 9.9.9.9:443, [2001:db8::1]:443.
_WITH_PORT = re.compile(r"\[(?P<v6>[0-9a-fA-F:.]+)\](?::\d+)?|(?P<v4>\d+(?:\.\d+){3}):\d+")


def _network(text: str) -> str:
    found = _WITH_PORT.fullmatch(text)
    try:
        address = ip_address((found["v6"] or found["v4"]) if found else text)
    except ValueError:
        return text
    if isinstance(address, IPv6Address) and address.ipv4_mapped is None:
        return str(ip_network((address, _IPV6_PREFIX), strict=False).network_address)
    return str(getattr(address, "ipv4_mapped", None) or address)
