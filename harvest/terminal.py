"""Strangers' text on its way to a terminal."""

from rich.markup import escape


def plain(text: str, most: int = 160) -> str:
    """`text` on one line, without control signs, at most so many signs long, escaped for rich."""
    printable = "".join(sign if sign.isprintable() else " " for sign in text)
    return escape(printable if len(printable) <= most else printable[: most - 1] + "…")
