"""The houses of the lives that are struck, to be explored."""

from __future__ import annotations

from tests.faults.conftest import _frozen_module, new_house

__all__ = ("_frozen_module", "new_house")
