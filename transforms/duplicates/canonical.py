"""Canonical forms: what one person's spellings of an e-mail address, a name or a street have in common.

They are for suggestions only. An identity never rests on them: `jane.doe@gmail.com` and `janedoe@gmail.com` are one
mailbox today, and nothing says that they are one customer.
"""

from __future__ import annotations

import re
import unicodedata
from functools import cache, lru_cache
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from nicknames import NickNamer

_GMAIL: Final = frozenset({"gmail.com", "googlemail.com"})
_PLUS: Final = re.compile(
    r"(?:outlook|hotmail|live|icloud|me|mac|proton|protonmail|fastmail|pm)\.[a-z.]{2,6}|.*\.fastmail\.com"
)
_YAHOO: Final = re.compile(r"(?:yahoo|ymail|rocketmail)\.[a-z.]{2,6}")

# Mailboxes of an office, not of a person.
ROLES: Final = frozenset(
    "abuse accounts admin billing booking bookings buchhaltung contact contacto customerservice einkauf "
    "enquiries finance help hello hi hr info jobs kontakt mail marketing newsletter no-reply noreply office orders "
    "postmaster press reception sales service shop staff support team vertrieb webmaster".split()
)

_STREETS: Final = {
    "st": "street", "str": "strasse", "rd": "road", "ave": "avenue", "av": "avenue", "blvd": "boulevard", "ln": "lane",
    "dr": "drive", "ct": "court", "pl": "place", "cct": "circuit", "crct": "circuit", "cres": "crescent",
    "cl": "close", "tce": "terrace", "ter": "terrace", "pde": "parade", "hwy": "highway", "sq": "square",
    "pkwy": "parkway",
}  # fmt: skip
_STREET_END: Final = re.compile(r"(?<=[a-z])str(?:\.|asse)?$")
_WORD: Final = re.compile(r"[^\W_]+")
_HONORIFICS: Final = frozenset("dr herr frau miss mr mrs ms prof sir madame monsieur".split())
_LETTERS: Final = str.maketrans({"ß": "ss", "æ": "ae", "ø": "o", "œ": "oe", "ł": "l", "đ": "d", "ð": "d", "þ": "th"})
_CACHED: Final = 1 << 17


def canonical_email(email: str | None) -> str | None:
    """The mailbox behind a normalised address; None for one of an office, which many people share.

    >>> canonical_email("jane.doe+shop@googlemail.com")
    'janedoe@gmail.com'
    """
    if not email or "@" not in email:
        return None
    user, _, domain = email.strip().lower().rpartition("@")
    if domain in _GMAIL:
        user, domain = user.partition("+")[0].replace(".", ""), "gmail.com"
    elif _YAHOO.fullmatch(domain):
        user = user.partition("-")[0]
    elif _PLUS.fullmatch(domain):
        user = user.partition("+")[0]
    if not user or user.partition("+")[0] in ROLES:
        return None
    return f"{user}@{domain}"


@lru_cache(_CACHED)
def canonical_words(text: str | None) -> str | None:
    """Lower case, without accents, punctuation and honorifics; None where nothing is left.

    >>> canonical_words("Dr. Zoë  O'Brien-Łuka")
    'zoe obrien luka'
    """
    if not text:
        return None
    # Compatibility forms first: what they stand for has a case of its own.
    lower = unicodedata.normalize("NFKD", text).casefold().translate(_LETTERS)
    plain = unicodedata.normalize("NFKD", lower.replace("'", "").replace("\u2019", ""))
    words = _WORD.findall("".join(letter for letter in plain if not unicodedata.combining(letter)))
    return " ".join(word for word in words if word not in _HONORIFICS) or None


@lru_cache(_CACHED)
def names_behind(name: str | None) -> tuple[str, ...]:
    """A canonical first name and the names that it may be short for, sorted. Of several first names, of the first.

    >>> "robert" in names_behind("bob")
    True
    """
    if not name:
        return ()
    first = name.split()[0]
    return tuple(sorted({first, *_nicknames().canonicals_of(first)}))


@cache
def _nicknames() -> NickNamer:
    from nicknames import NickNamer

    return NickNamer()


@lru_cache(_CACHED)
def canonical_street(text: str | None) -> tuple[str | None, str | None]:
    """House number, and the street without it, its kind spelled out.

    >>> canonical_street("12 Example St.")
    ('12', 'example street')
    >>> canonical_street("Beispielstraße 7b")
    ('7b', 'beispielstrasse')
    """
    words = (canonical_words(text) or "").split()
    numbers = [word for word in words if word[0].isdigit()]
    number = numbers[0] if numbers else None
    rest = [word for word in words if word != number]
    street = " ".join(_STREET_END.sub("strasse", _STREETS.get(word, word)) for word in rest)
    return number, street or None


def canonical_code(text: str | None) -> str | None:
    """A postal code without spaces and hyphens, in lower case."""
    return re.sub(r"[\s-]", "", text.lower()) or None if text else None
