"""The errors Stripe answers with, one class for each condition."""

from __future__ import annotations

from typing import Any

Document = dict[str, Any]


class ApiError(Exception):
    """An answer with an ``error`` object.

    ``is_kept`` says whether an idempotency key remembers it: Stripe keeps what happened once execution
    began and forgets validation failures, rate limits and conflicts.

    Source: docs.stripe.com/api/idempotent_requests and docs.stripe.com/error-codes.
    """

    status = 400
    type = "invalid_request_error"
    code: str | None = None
    is_kept = True

    def __init__(self, message: str, *, param: str | None = None, **details: Any) -> None:
        super().__init__(message)
        self.param = param
        self.details = details

    def to_document(self) -> Document:
        """Return the answer's body; absent fields are left out, as Stripe does."""
        fields = {"code": self.code, "param": self.param, **self.details}
        error: Document = {"type": self.type, "message": str(self)}
        return {"error": error | {name: value for name, value in fields.items() if value is not None}}


class NoApiKey(ApiError):
    status = 401
    is_kept = False

    def __init__(self) -> None:
        super().__init__(
            "You did not provide an API key. You need to provide your API key in the Authorization header, "
            "using Bearer auth (e.g. 'Authorization: Bearer YOUR_SECRET_KEY')."
        )


class InvalidApiKey(ApiError):
    status = 401
    is_kept = False

    def __init__(self, key: str) -> None:
        super().__init__(
            f"Invalid API Key provided: {key[:3]}{'*' * 8}. The local Stripe takes sk_test_… keys."
        )


class LiveKeyRefused(ApiError):
    status = 401
    is_kept = False

    def __init__(self) -> None:
        super().__init__(
            "A live key was sent to the local Stripe, which takes test keys only. "
            "Use a key that starts with sk_test_, or point STRIPE_API_BASE at Stripe."
        )


class RevokedApiKey(ApiError):
    status = 401
    code = "api_key_expired"
    is_kept = False

    def __init__(self) -> None:
        super().__init__("Expired API Key provided: the local Stripe was told to refuse it.")


class VersionNotSpoken(ApiError):
    is_kept = False

    def __init__(self, *, asked: str, spoken: str) -> None:
        super().__init__(f"The local Stripe speaks API version {spoken} only, not {asked}.")


class UnrecognizedUrl(ApiError):
    status = 404
    is_kept = False

    def __init__(self, *, method: str, path: str) -> None:
        super().__init__(
            f"Unrecognized request URL ({method}: {path}). The local Stripe offers only what payments needs."
        )


class ParameterRefused(ApiError):
    """The request never started: its parameters do not pass."""

    is_kept = False

    def __init__(self, message: str, *, param: str, code: str | None = None) -> None:
        super().__init__(message, param=param)
        self.code = code


class ParameterUnknown(ParameterRefused):
    def __init__(self, name: str) -> None:
        super().__init__(f"Received unknown parameter: {name}", param=name, code="parameter_unknown")


class ParameterNotSupportedHere(ParameterRefused):
    def __init__(self, name: str) -> None:
        message = f"Stripe knows the parameter {name}, the local Stripe does not: add it to local_stripe."
        super().__init__(message, param=name, code="sandbox_unsupported")


class ParameterMissing(ParameterRefused):
    def __init__(self, name: str) -> None:
        super().__init__(f"Missing required param: {name}.", param=name, code="parameter_missing")


class ParametersExclusive(ParameterRefused):
    def __init__(self, *names: str) -> None:
        message = f"You may only specify one of these parameters: {', '.join(names)}."
        super().__init__(message, param=names[0], code="parameter_invalid_empty")


class ResourceMissing(ApiError):
    code = "resource_missing"

    def __init__(self, *, kind: str, id_: str, param: str, status: int = 400) -> None:
        super().__init__(f"No such {kind}: '{id_}'", param=param)
        self.status = status


class UnexpectedState(ApiError):
    """The object is not in a state that allows the request."""

    def __init__(self, message: str, *, code: str | None = None, **details: Any) -> None:
        super().__init__(message, **details)
        self.code = code


class CardRefused(ApiError):
    """The bank said no (402); the intent, if any, is already back where it takes another card."""

    status = 402
    type = "card_error"

    def __init__(self, message: str, *, code: str, **details: Any) -> None:
        super().__init__(message, **details)
        self.code = code


class KeyReusedWithOtherParameters(ApiError):
    type = "idempotency_error"
    is_kept = False

    def __init__(self, key: str) -> None:
        super().__init__(
            "Keys for idempotent requests can only be used with the same parameters they were first used "
            f"with. Try using a key other than '{key}' if you meant to execute a different request."
        )


class KeyInUse(ApiError):
    status = 409
    type = "idempotency_error"
    code = "idempotency_key_in_use"
    is_kept = False

    def __init__(self, key: str) -> None:
        super().__init__(
            f"There is currently another in-progress request using this Idempotent Key: {key}. "
            "Please try again later."
        )


class KeyTooLong(ApiError):
    is_kept = False

    def __init__(self) -> None:
        super().__init__("Idempotency keys are at most 255 characters long.")


class Conflict(ApiError):
    status = 409
    type = "idempotency_error"
    code = "idempotency_key_in_use"
    is_kept = False

    def __init__(self) -> None:
        super().__init__(
            "The request conflicts with another one that is being carried out. Please try again later."
        )


class RateLimited(ApiError):
    status = 429
    code = "rate_limit"
    is_kept = False

    def __init__(self) -> None:
        super().__init__("Request rate limit exceeded.")


class LockTimeout(ApiError):
    status = 429
    code = "lock_timeout"
    is_kept = False

    def __init__(self) -> None:
        super().__init__(
            "This object cannot be accessed right now because another API request or Stripe process is "
            "currently accessing it. If you see this error intermittently, retry the request."
        )


class InternalError(ApiError):
    """A 500: Stripe says to treat its outcome as unknown."""

    status = 500
    type = "api_error"

    def __init__(self) -> None:
        super().__init__("An unknown error occurred. Its outcome is indeterminate.")


class Unavailable(ApiError):
    status = 503
    type = "api_error"
    is_kept = False

    def __init__(self) -> None:
        super().__init__("Stripe is temporarily unavailable.")
