"""Idempotency keys: the first answer is kept with a hash of its parameters, and given again.

Source: docs.stripe.com/api/idempotent_requests (v1): kept once execution begins, 402 and 500 included;
pruned after 24 hours; other parameters under the key are an error.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass

from reyes_estancias.local_stripe.errors import Document, KeyReusedWithOtherParameters, KeyTooLong
from reyes_estancias.local_stripe.store import Store

KEPT_SECONDS = 24 * 3600
LONGEST_KEY = 255


@dataclass(frozen=True, slots=True)
class KeptAnswer:
    """The first answer under a key. ``kept_at`` is in epoch seconds of the local Stripe's clock."""

    key: str
    fingerprint: str
    status: int
    body: str
    request_id: str
    kept_at: int


def fingerprint_request(*, method: str, path: str, raw_params: Document) -> str:
    text = json.dumps([method, path, raw_params], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


def find_kept(store: Store, *, key: str, fingerprint: str, now: int) -> KeptAnswer | None:
    """Return the answer kept under a key, or None when there is none or it is a day old.

    Raises:
        KeyReusedWithOtherParameters: the key was first used for another request.
        KeyTooLong: more than 255 characters.
    """
    if len(key) > LONGEST_KEY:
        raise KeyTooLong
    row = store.get("idempotency", key)
    if row is None:
        return None
    kept = KeptAnswer(**row)
    if now >= kept.kept_at + KEPT_SECONDS:
        store.remove("idempotency", key)
        return None
    if kept.fingerprint != fingerprint:
        raise KeyReusedWithOtherParameters(key)
    return kept


def keep(store: Store, answer: KeptAnswer) -> None:
    store.put("idempotency", answer.key, asdict(answer))
