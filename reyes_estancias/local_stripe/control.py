"""A client of the control paths, for tests and the demo."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from dataclasses import asdict, dataclass
from typing import Any

from reyes_estancias.local_stripe.core import LoggedRequest
from reyes_estancias.local_stripe.errors import Document
from reyes_estancias.local_stripe.faults import Fault
from reyes_estancias.local_stripe.settings import Settings
from reyes_estancias.local_stripe.statement import StatementLine, parse_line
from reyes_estancias.local_stripe.webhooks import Delivery, read_delivery

TIMEOUT_SECONDS = 10.0
OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}))


class ControlRefused(Exception):
    """The local Stripe did not do what a control call asked."""

    def __init__(self, *, status: int, reason: str) -> None:
        self.status = status
        self.reason = reason
        super().__init__(f"the local Stripe answered {status}: {reason}")


@dataclass(frozen=True, slots=True)
class SeededCustomer:
    customer: str
    payment_method: str


class Control:
    """Steers a local Stripe that runs at ``base_url``."""

    def __init__(self, base_url: str) -> None:
        self.base_url = base_url.rstrip("/")

    def is_up(self) -> bool:
        """Say whether a local Stripe answers there."""
        try:
            return bool(self._ask("GET", "health")["status"] == "ok")
        except (OSError, ControlRefused, ValueError, KeyError, TypeError):
            return False

    def settings(self) -> Settings:
        return Settings(**self._ask("GET", "settings"))

    def change_settings(self, **changes: float | bool) -> Settings:
        """Change any fields of ``Settings``: latency, clock offset, webhook switches."""
        return Settings(**self._ask("POST", "settings", changes))

    def set_latency(self, *, milliseconds: int) -> None:
        self.change_settings(latency_ms=milliseconds)

    def set_clock_offset(self, *, seconds: int) -> None:
        """Let the local Stripe's clock run this far ahead of (or behind) the real one."""
        self.change_settings(clock_offset_seconds=seconds)

    def arm_fault(self, fault: Fault) -> None:
        self._ask("POST", "faults", asdict(fault))

    def faults_left(self) -> int:
        """Return how many armed faults have not struck yet."""
        return sum(fault["count"] for fault in self._ask("GET", "faults"))

    def clear_faults(self) -> None:
        self._ask("DELETE", "faults")

    def set_webhook(self, *, url: str, secret: str) -> None:
        """Send every event to ``url``, signed with ``secret``, instead of the URL set before."""
        self._ask("POST", "webhook", {"url": url, "secret": secret})

    def statement(self) -> list[StatementLine]:
        """Return every movement of money, oldest first."""
        return [parse_line(row) for row in self._ask("GET", "statement.json")["lines"]]

    def totals(self) -> dict[str, int]:
        """Return what was taken less what was given back, by currency, in minor units."""
        totals: dict[str, int] = self._ask("GET", "statement.json")["totals"]
        return totals

    def requests(self) -> list[LoggedRequest]:
        """Return the API requests since the process started, oldest first."""
        return [LoggedRequest(**row) for row in self._ask("GET", "requests")]

    def deliveries(self) -> list[Delivery]:
        return [read_delivery(row) for row in self._ask("GET", "deliveries")]

    def complete_session(
        self,
        session_id: str,
        *,
        card: str = "pm_card_visa",
        email: str | None = None,
        is_authorized: bool = True,
    ) -> Document:
        """Pay a Checkout Session as a guest would.

        Raises:
            ControlRefused: status 402 when the card is declined (the session stays open).
        """
        body = {"card": card, "email": email, "is_authorized": is_authorized}
        session: Document = self._ask("POST", f"sessions/{session_id}/complete", body)
        return session

    def seed_customer(
        self, *, email: str, name: str | None = None, card: str = "pm_card_visa", is_set_up: bool = True
    ) -> SeededCustomer:
        """Make a customer with a saved card, also one that will be declined when charged."""
        body = {"email": email, "name": name, "card": card, "is_set_up": is_set_up}
        return SeededCustomer(**self._ask("POST", "customers", body))

    def change_card(self, payment_method: str, *, card: str) -> None:
        """Let the bank treat a saved card like another test card from now on."""
        self._ask("POST", f"payment_methods/{payment_method}/card", {"card": card})

    def fail_refund(self, refund_id: str) -> None:
        """Let a refund come back, as a bank may do days later."""
        self._ask("POST", f"refunds/{refund_id}/fail")

    def refund_by_hand(self, intent_id: str, *, amount: int | None = None) -> str:
        """Refund a charge as somebody does in Stripe's dashboard. Returns the refund's id."""
        return str(self._ask("POST", "refunds", {"payment_intent": intent_id, "amount": amount})["id"])

    def open_dispute(self, intent_id: str, *, amount: int | None = None, is_inquiry: bool = False) -> str:
        """Let a cardholder dispute a charge, or their bank ask about it. Returns the dispute's id."""
        body = {"payment_intent": intent_id, "amount": amount, "is_inquiry": is_inquiry}
        return str(self._ask("POST", "disputes", body)["id"])

    def escalate_dispute(self, dispute_id: str) -> None:
        """Let an inquiry become a chargeback."""
        self._ask("POST", f"disputes/{dispute_id}/escalate")

    def submit_evidence(self, dispute_id: str) -> None:
        self._ask("POST", f"disputes/{dispute_id}/evidence")

    def close_dispute(self, dispute_id: str, *, status: str) -> None:
        """Let the bank decide: ``won``, ``lost``, or for an inquiry ``warning_closed``."""
        self._ask("POST", f"disputes/{dispute_id}/close", {"status": status})

    def settle_refunds(self) -> None:
        """Bring the refunds that take their time to their end now."""
        self._ask("POST", "refunds/settle")

    def reset(self) -> None:
        """Forget all objects, keys, movements, faults and requests; settings and webhooks stay."""
        self._ask("POST", "reset")

    def _ask(self, method: str, path: str, body: Document | None = None) -> Any:
        request = urllib.request.Request(  # noqa: S310 - the address is ours
            f"{self.base_url}/_sandbox/{path}",
            method=method,
            data=json.dumps(body or {}).encode() if method == "POST" else None,
            headers={"Content-Type": "application/json"},
        )
        try:
            with OPENER.open(request, timeout=TIMEOUT_SECONDS) as response:
                return json.loads(response.read())
        except urllib.error.HTTPError as error:
            reason = error.read().decode(errors="replace")
            error.close()
            raise ControlRefused(status=error.code, reason=reason) from None
