"""Countries, as people and systems write them, to ISO 3166-1 alpha-2.

The names and codes are those of `pycountry` (Debian's iso-codes, kept up to date). What it lacks is how people say
them: a few other names, and the usual variations in how a name is written.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Final

from transforms.profiles.normalize.text import as_word, cached_text

# Keys in the form of `as_word`, without "the".
_OTHER_NAMES: Final = {
    "america": "US",
    "bolivia": "BO",
    "bonaire": "BQ",
    "bosnia": "BA",
    "brasil": "BR",
    "britain": "GB",
    "brunei": "BN",
    "burma": "MM",
    "capeverde": "CV",
    "congobrazzaville": "CG",
    "congokinshasa": "CD",
    "czechrepublic": "CZ",
    "democraticrepublicofcongo": "CD",
    "deutschland": "DE",
    "drc": "CD",
    "drcongo": "CD",
    "easttimor": "TL",
    "emirates": "AE",
    "england": "GB",
    "espana": "ES",
    "falklandislands": "FK",
    "falklands": "FK",
    "fyrom": "MK",
    "greatbritain": "GB",
    "holland": "NL",
    "hongkongsar": "HK",
    "iran": "IR",
    "italia": "IT",
    "ivorycoast": "CI",
    "kosovo": "XK",  # user-assigned in ISO 3166-1, and what everybody uses
    "laos": "LA",
    "macau": "MO",
    "macausar": "MO",
    "macedonia": "MK",
    "mexico": "MX",
    "micronesia": "FM",
    "moldova": "MD",
    "northernireland": "GB",
    "norge": "NO",
    "osterreich": "AT",
    "palestine": "PS",
    "palestinianterritories": "PS",
    "pitcairnislands": "PN",
    "polska": "PL",
    "prc": "CN",
    "republicofchina": "TW",
    "republicofcongo": "CG",
    "russia": "RU",
    "sainthelena": "SH",
    "saintmartin": "MF",
    "schweiz": "CH",
    "scotland": "GB",
    "southkorea": "KR",
    "northkorea": "KP",
    "suisse": "CH",
    "sverige": "SE",
    "swaziland": "SZ",
    "syria": "SY",
    "taiwan": "TW",
    "tanzania": "TZ",
    "turkey": "TR",
    "uae": "AE",
    "uk": "GB",
    "unitedstatesofamerica": "US",
    "usvirginislands": "VI",
    "britishvirginislands": "VG",
    "vatican": "VA",
    "vaticancity": "VA",
    "venezuela": "VE",
    "vietnam": "VN",
    "wales": "GB",
    "xk": "XK",
}

_BRACKETS: Final = re.compile(r"\s*[(\[].*?[)\]]\s*")
_AND: Final = re.compile(r"\s*[&+]\s*")
_SAINT: Final = re.compile(r"\bst\b\.?", re.IGNORECASE)
_THE: Final = re.compile(r"\bthe\b", re.IGNORECASE)
# Before a name that is a country without it: "Republic of Ireland". The Chinas and Congos are in the tables above.
_FORM: Final = re.compile(
    r"^\s*(?:(?:federal|islamic|united)\s+)?(?:republic|kingdom|state|commonwealth)\s+of\b", re.IGNORECASE
)


@cached_text
def normalise_country(text: str) -> str | None:
    """ISO 3166-1 alpha-2, of a name, or an alpha-2, alpha-3 or numeric code."""
    return country_code(text)


def country_code(text: str) -> str | None:
    """The same, of text that is not blank."""
    known = _countries()
    return next((known[word] for word in _words(text) if word in known), None)


def _words(text: str) -> Iterator[str]:
    """What to look for, the most literal first."""
    yield as_word(text)
    if text.isascii() and text.isdigit():
        yield text.zfill(3)
    plain = _THE.sub("", _SAINT.sub("saint", _AND.sub(" and ", _BRACKETS.sub(" ", text))))
    yield as_word(plain)
    yield as_word(_FORM.sub("", plain))


@cache
def _countries() -> Mapping[str, str]:
    import pycountry

    codes: dict[str, str] = {}
    # Codes last: where a name and a code were ever the same word, the code wins.
    for attribute in ("official_name", "common_name", "name", "numeric", "alpha_3", "alpha_2"):
        for country in pycountry.countries:
            if hasattr(country, attribute):
                for name in _written(getattr(country, attribute)):
                    codes[as_word(name)] = country.alpha_2
    return {**_OTHER_NAMES, **codes}


def _written(name: str) -> Iterator[str]:
    """A name, without brackets and "the", and the other way round: `Korea, Republic of`."""
    for text in (name, _BRACKETS.sub(" ", name)):
        yield text
        yield _THE.sub("", text)
        before, comma, behind = text.partition(",")
        if comma:
            yield f"{behind} {before}"
            yield _THE.sub("", f"{behind} {before}")
