"""Putting something else in the place of a part of the product, in this process alone."""

from __future__ import annotations

from types import ModuleType


def change(module: ModuleType, name: str, value: object) -> None:
    """Raises ``AttributeError`` where the product has no such part any more: then a baseline that
    relies on it would quietly be the product itself."""
    getattr(module, name)
    setattr(module, name, value)
