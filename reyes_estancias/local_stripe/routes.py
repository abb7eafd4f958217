"""Which endpoint answers which method and path."""

from __future__ import annotations

import re
from dataclasses import dataclass

from reyes_estancias.local_stripe import (
    account,
    balance,
    charges,
    checkout,
    customers,
    disputes,
    events,
    payment_intents,
    payment_methods,
    refunds,
    setup_intents,
    webhook_endpoints,
)
from reyes_estancias.local_stripe.calls import Endpoint
from reyes_estancias.local_stripe.contract_checkout import ALL_ENDPOINTS
from reyes_estancias.local_stripe.errors import Document, UnrecognizedUrl


@dataclass(frozen=True, slots=True)
class Route:
    """One endpoint: ``name`` is its entry in the table of parameters."""

    method: str
    path: str
    name: str
    endpoint: Endpoint
    pattern: re.Pattern[str]

    def read_params(self, raw: Document) -> Document:
        return ALL_ENDPOINTS[self.name].read("", raw)


def _route(method: str, path: str, name: str, endpoint: Endpoint) -> Route:
    pattern = re.compile(re.sub(r"\{id\}", r"([A-Za-z0-9_]+)", path))
    return Route(method, path, name, endpoint, pattern)


ROUTES = (
    _route("GET", "/v1/account", "account.retrieve_current", account.retrieve_current),
    _route("POST", "/v1/customers", "customers.create", customers.create),
    _route("GET", "/v1/customers", "customers.list", customers.list_all),
    _route("GET", "/v1/customers/{id}", "customers.retrieve", customers.retrieve),
    _route("POST", "/v1/customers/{id}", "customers.update", customers.update),
    _route("DELETE", "/v1/customers/{id}", "customers.delete", customers.delete),
    _route(
        "GET",
        "/v1/customers/{id}/payment_methods",
        "customers.payment_methods",
        payment_methods.list_for_customer,
    ),
    _route("POST", "/v1/payment_methods", "payment_methods.create", payment_methods.create),
    _route("GET", "/v1/payment_methods", "payment_methods.list", payment_methods.list_for_customer),
    _route("GET", "/v1/payment_methods/{id}", "payment_methods.retrieve", payment_methods.retrieve),
    _route("POST", "/v1/payment_methods/{id}/attach", "payment_methods.attach", payment_methods.attach),
    _route("POST", "/v1/payment_methods/{id}/detach", "payment_methods.detach", payment_methods.detach),
    _route("POST", "/v1/setup_intents", "setup_intents.create", setup_intents.create),
    _route("GET", "/v1/setup_intents/{id}", "setup_intents.retrieve", setup_intents.retrieve),
    _route("POST", "/v1/setup_intents/{id}/confirm", "setup_intents.confirm", setup_intents.confirm),
    _route("POST", "/v1/payment_intents", "payment_intents.create", payment_intents.create),
    _route("GET", "/v1/payment_intents", "payment_intents.list", payment_intents.list_all),
    _route("GET", "/v1/payment_intents/{id}", "payment_intents.retrieve", payment_intents.retrieve),
    _route("POST", "/v1/payment_intents/{id}/confirm", "payment_intents.confirm", payment_intents.confirm),
    _route("POST", "/v1/payment_intents/{id}/cancel", "payment_intents.cancel", payment_intents.cancel),
    _route("GET", "/v1/charges", "charges.list", charges.list_all),
    _route("GET", "/v1/charges/{id}", "charges.retrieve", charges.retrieve),
    _route("GET", "/v1/balance_transactions", "balance_transactions.list", balance.list_all),
    _route("GET", "/v1/balance_transactions/{id}", "balance_transactions.retrieve", balance.retrieve),
    _route("POST", "/v1/refunds", "refunds.create", refunds.create),
    _route("GET", "/v1/refunds", "refunds.list", refunds.list_all),
    _route("GET", "/v1/refunds/{id}", "refunds.retrieve", refunds.retrieve),
    _route("GET", "/v1/disputes", "disputes.list", disputes.list_all),
    _route("GET", "/v1/disputes/{id}", "disputes.retrieve", disputes.retrieve),
    _route("POST", "/v1/checkout/sessions", "checkout.sessions.create", checkout.create),
    _route("GET", "/v1/checkout/sessions", "checkout.sessions.list", checkout.list_all),
    _route("GET", "/v1/checkout/sessions/{id}", "checkout.sessions.retrieve", checkout.retrieve),
    _route("POST", "/v1/checkout/sessions/{id}/expire", "checkout.sessions.expire", checkout.expire),
    _route(
        "GET",
        "/v1/checkout/sessions/{id}/line_items",
        "checkout.sessions.line_items",
        checkout.list_line_items,
    ),
    _route("GET", "/v1/events", "events.list", events.list_all),
    _route("GET", "/v1/events/{id}", "events.retrieve", events.retrieve),
    _route("POST", "/v1/webhook_endpoints", "webhook_endpoints.create", webhook_endpoints.create),
    _route("GET", "/v1/webhook_endpoints", "webhook_endpoints.list", webhook_endpoints.list_all),
    _route("GET", "/v1/webhook_endpoints/{id}", "webhook_endpoints.retrieve", webhook_endpoints.retrieve),
    _route("DELETE", "/v1/webhook_endpoints/{id}", "webhook_endpoints.delete", webhook_endpoints.delete),
)

SEARCHES = re.compile(r"/v1/[a-z_]+/search")


def find_route(method: str, path: str) -> tuple[Route, tuple[str, ...]]:
    """Return the route of a request and the ids in its path.

    Raises:
        UnrecognizedUrl: nothing is offered there (search never is: at Stripe it lags).
    """
    for route in ROUTES:
        match = route.pattern.fullmatch(path)
        if match and route.method == method and not SEARCHES.fullmatch(path):
            return route, match.groups()
    raise UnrecognizedUrl(method=method, path=path)
