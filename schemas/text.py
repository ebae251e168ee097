"""Text from data, on its way to a person: without anything that a terminal would obey.

Names of events, ids, names of files and whatever else was sent may hold escape sequences (that clear the screen, or set
the title), line breaks that forge a line of ours, or marks that turn the direction of writing.
"""

from __future__ import annotations

import re

LONGEST = 40


def printable(text: str) -> str:
    r"""The text, with "?" for each character that is no visible one; lines and tabs stay.

    >>> printable("a\x1b[2Jb")
    'a?[2Jb'
    """
    return "".join(character if character.isprintable() or character in "\n\t" else "?" for character in text)


def plain(value: object, longest: int = LONGEST) -> str:
    """One value of the data, in one line, of bearable length."""
    text = "".join(character if character.isprintable() else "?" for character in str(value))
    return text if len(text) <= longest else text[: longest - 3] + "..."


def printable_json(text: str) -> str:
    r"""JSON that says the same, with escapes for what is not visible, so that it may be looked at in a terminal.

    >>> printable_json('"a\x9bb"')
    '"a\\u009bb"'
    """
    return _INVISIBLE.sub(lambda found: _escaped(found[0]), text)


_INVISIBLE = re.compile(r"[^\x20-\x7e\n\t]")


def _escaped(character: str) -> str:
    if character.isprintable():
        return character
    units = character.encode("utf-16-be", "surrogatepass")
    return "".join(f"\\u{units[place]:02x}{units[place + 1]:02x}" for place in range(0, len(units), 2))
