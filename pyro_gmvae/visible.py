"""Show text from files as it is, and let none of it steer a terminal or end a program."""

from __future__ import annotations

import re
import unicodedata

__all__ = ["markdown_text", "unicode_text", "visible"]

# Control characters, marks that turn the direction of writing, halves of a pair, line separators.
UNSEEN = ("Cc", "Cf", "Cs", "Zl", "Zp")
# Persian, Indian scripts and pictures of people are written with these two.
JOINERS = "\u200c\u200d"


def visible(text: str) -> str:
    r"""Write characters that a terminal would obey, or cannot show, as escapes.

    The result is one line.

    >>> print(visible("size\x1b[31m of\na ☂"))
    size\x1b[31m of\na ☂
    """
    return "".join(_escaped(c) if _unseen(c) else c for c in text)


def markdown_text(text: str) -> str:
    r"""Write text so that Markdown shows it as it is, on one line.

    >>> print(markdown_text("a|b *c* <script>"))
    a\|b \*c\* &lt;script&gt;
    """
    shown = visible(text).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return re.sub(r"([\\`*_{}\[\]()#+!|~$-])", r"\\\1", shown)


def unicode_text(text: str) -> str:
    r"""Write what is no text, as in a file name of another encoding, as escapes.

    >>> print(unicode_text("caf\udce9.png"))
    caf\udce9.png
    """
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


def _unseen(character: str) -> bool:
    return unicodedata.category(character) in UNSEEN and character not in JOINERS


def _escaped(character: str) -> str:
    return character.encode("unicode_escape").decode()
