"""Text and numbers as they are sent, before a column looks closer."""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Callable
from functools import lru_cache, wraps
from typing import Any, Final

# Longer text is no name, place or address. It also bounds what the caches hold.
LONGEST_TEXT: Final = 256
CACHED_VALUES: Final = 16_384
MOST_TAGS: Final = 1_000

_LARGEST_DIGITS: Final = 10**18
_UNPRINTABLE: Final = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff]")
_NUMBER: Final = re.compile(r"[+-]?(?:\d{1,18}(?:\.\d{0,18})?|\.\d{1,18})", re.ASCII)


def as_text(value: Any) -> str | None:
    """The value in Unicode's composed form, each run of white space one space. None: no text, or far too long.

    Whole numbers count as text: trackers send phone numbers and postal codes that way.
    """
    if type(value) is int and -_LARGEST_DIGITS < value < _LARGEST_DIGITS:
        return str(value)
    if type(value) is not str or len(value) > LONGEST_TEXT * 4:
        return None
    text = " ".join(unicodedata.normalize("NFC", value).split())
    return None if len(text) > LONGEST_TEXT or _UNPRINTABLE.search(text) else text


def as_word(text: str) -> str:
    """Lower case, letters and digits only, accents dropped: what two spellings of one word have in common.

    >>> as_word("Côte d'Ivoire")
    'cotedivoire'
    """
    return "".join(filter(str.isalnum, unicodedata.normalize("NFKD", text.casefold())))


def as_number(value: Any) -> float | None:
    """A finite number, or text that is written like one."""
    if type(value) is str and len(value) <= LONGEST_TEXT and _NUMBER.fullmatch(value.strip()):
        return float(value)
    if type(value) is int:
        return float(value) if -_LARGEST_DIGITS < value < _LARGEST_DIGITS else None
    return value if type(value) is float and math.isfinite(value) else None


def cached_text(normalise: Callable[[str], str | None]) -> Callable[[Any], str | None]:
    """Makes a function of cleaned, non-empty text take any JSON value, and remember the latest distinct ones."""
    remembered = lru_cache(CACHED_VALUES)(normalise)

    @wraps(normalise)
    def of_any_value(value: Any) -> str | None:
        text = as_text(value)
        return remembered(text) if text else None

    return of_any_value


def plain_text(value: Any) -> str | None:
    """Free text: a city, a postal code. A number is taken as its digits."""
    return as_text(value) or None


def name_text(value: Any) -> str | None:
    """Free text that a number cannot stand for: a person's name."""
    return as_text(value) or None if type(value) is str else None


def normalise_tags(value: Any) -> list[str] | None:
    """Labels, each once, in the order they were sent: an array of text, or text with commas between them.

    Of an array, blank elements and nulls say nothing; a whole number is its digits; anything else is no label, and
    makes the array unusable. At most MOST_TAGS.
    """
    parts = value.split(",") if type(value) is str else value
    if type(parts) is not list or len(parts) > MOST_TAGS:
        return None
    tags = [as_text(part) for part in parts if part is not None]
    if any(tag is None for tag in tags):
        return None
    return list(dict.fromkeys(tag for tag in tags if tag))
