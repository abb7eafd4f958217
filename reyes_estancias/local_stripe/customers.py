"""Customers: create, retrieve, update, list, delete."""

from __future__ import annotations

from reyes_estancias.local_stripe import payment_methods
from reyes_estancias.local_stripe.calls import Call
from reyes_estancias.local_stripe.errors import Document
from reyes_estancias.local_stripe.listing import list_page

FIELDS = ("address", "description", "email", "name", "phone", "preferred_locales", "shipping")


def create(call: Call) -> Document:
    customer = _blank(call)
    _apply(customer, call.params)
    call.save(customer)
    if method_id := call.params.get("payment_method"):
        payment_methods.attach_to(call, method_id, customer["id"])
    call.emit("customer.created", customer)
    return customer


def retrieve(call: Call) -> Document:
    return call.find("customer", call.ids[0])


def update(call: Call) -> Document:
    customer = call.find_customer(call.ids[0], param="id")
    _apply(customer, call.params)
    call.save(customer)
    call.emit("customer.updated", customer)
    return customer


def list_all(call: Call) -> Document:
    living = (row for row in call.store.newest_first("customer") if not row.get("deleted"))
    return list_page(call, living, url="/v1/customers", filters=("email",))


def delete(call: Call) -> Document:
    customer = call.find_customer(call.ids[0], param="id")
    payment_methods.detach_all(call, customer["id"])
    call.emit("customer.deleted", customer)
    return call.save({"id": customer["id"], "object": "customer", "deleted": True})


def create_from_checkout(call: Call, *, email: str | None, name: str | None) -> Document:
    """Make the customer a Checkout Session was asked to create."""
    customer = _blank(call) | {"email": email, "name": name}
    call.save(customer)
    call.emit("customer.created", customer)
    return customer


def _apply(customer: Document, params: Document) -> None:
    customer.update({name: params[name] for name in FIELDS if name in params})
    customer["metadata"] = merge_metadata(customer["metadata"], params.get("metadata", {}))
    if settings := params.get("invoice_settings"):
        customer["invoice_settings"] |= settings


def merge_metadata(old: dict[str, str], new: dict[str, str]) -> dict[str, str]:
    """Return both together; an empty value removes its key."""
    return {key: value for key, value in (old | new).items() if value != ""}


def _blank(call: Call) -> Document:
    return {
        "id": call.store.next_id("cus_"),
        "object": "customer",
        "address": None,
        "balance": 0,
        "business_name": None,
        "created": call.now,
        "currency": None,
        "customer_account": None,
        "default_source": None,
        "delinquent": False,
        "description": None,
        "discount": None,
        "email": None,
        "individual_name": None,
        "invoice_prefix": call.store.next_id("")[:8].upper(),
        "invoice_settings": {
            "custom_fields": None,
            "default_payment_method": None,
            "footer": None,
            "rendering_options": None,
        },
        "livemode": False,
        "metadata": {},
        "name": None,
        "next_invoice_sequence": 1,
        "phone": None,
        "preferred_locales": [],
        "shipping": None,
        "tax_exempt": "none",
        "test_clock": None,
    }
