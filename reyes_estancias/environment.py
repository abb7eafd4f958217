"""The environment, read strictly: what cannot be read ends the start, by name."""

from __future__ import annotations

from typing import Any, TypeVar

from django.core.exceptions import ImproperlyConfigured
from environ import Env

_Choice = TypeVar("_Choice", bound=str)

_YES_OR_NO = {*Env.BOOLEAN_TRUE_STRINGS, "false", "off", "n", "no", "0", ""}


class Environment(Env):  # type: ignore[misc]  # it has no types
    """An ``Env`` that takes no misspelt "True" for a "False", and names what it cannot read."""

    def get_value(self, var: str, cast: Any = None, default: Any = Env.NOTSET, **options: Any) -> Any:
        """Return a variable as ``cast``, without the blanks around it; a number that is empty is not set.

        A value that begins with "$" is that value: Django makes such keys, and an ``Env`` would take one for
        the name of another variable.

        Raises:
            ImproperlyConfigured: It is missing, or cannot be read; its value, which may be a secret put in
                the wrong place, is not repeated.
        """
        if var not in self.ENVIRON:
            return super().get_value(var, cast, default, **options)
        said = self.ENVIRON[var].strip()
        if not said and default is Env.NOTSET:
            raise ImproperlyConfigured(f"{var} is empty: set it")
        if not said and cast is int:
            return default
        return self._read(var, said, cast)

    def _read(self, var: str, said: str, cast: Any) -> Any:
        if cast is bool and said.lower() not in _YES_OR_NO:
            raise ImproperlyConfigured(f"{var} is neither True nor False: write one of them")
        try:
            value = self.parse_value(said, cast)
        except ValueError:  # whose words repeat the value
            problem = "is not a whole number: write digits alone" if cast is int else "cannot be read"
            raise ImproperlyConfigured(f"{var} {problem}") from None
        if cast is int and value < 0:
            raise ImproperlyConfigured(f"{var} is below 0: write a number from 0 on")
        return [each.strip() for each in value if each.strip()] if cast is list else value

    def email_url(self, var: str, default: str) -> dict[str, Any]:
        """Return the settings that an address of mail stands for.

        Raises:
            ImproperlyConfigured: It is none; it is not repeated, as it holds a password.
        """
        try:
            settings: dict[str, Any] = super().email_url(var, default=default)
        except (ValueError, ImproperlyConfigured):
            example = "smtp+tls://user:password@mail.example:587"
            raise ImproperlyConfigured(f"{var} cannot be read: write {example}") from None
        return settings

    def choice(self, var: str, *choices: _Choice) -> _Choice:
        """Return a variable that is one of ``choices``; the first where it is not set."""
        value = self.str(var, default="") or choices[0]
        for each in choices:
            if each == value:
                return each
        raise ImproperlyConfigured(f"{var} is none of these: {', '.join(choices)}")
