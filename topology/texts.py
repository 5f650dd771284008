"""Text that others have written, where people read it."""

from __future__ import annotations

from typing import Any


def is_clean(text: str) -> bool:
    """Whether it is one line that shows what it holds: no line breaks, nothing that steers a
    terminal or turns the direction of reading, nothing invisible, no blank but the space."""
    return text.isprintable()


def clean(text: str) -> str:
    """The same text so that this is true of it, and any database can keep it: what cannot be shown
    and halves of characters are replaced, all kinds of blank are one."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else " " if c.isspace() else "\ufffd" for c in text)


def cleaned(document: Any) -> Any:
    """The same JSON with every text in it clean: none of them takes a line of its own where it is
    printed."""
    if isinstance(document, str):
        return clean(document)
    if isinstance(document, dict):
        return {name: cleaned(value) for name, value in document.items()}
    return [cleaned(each) for each in document] if isinstance(document, list) else document
