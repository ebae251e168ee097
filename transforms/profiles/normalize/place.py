"""Coordinates, language and time zone."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from typing import Any, Final

from transforms.profiles.normalize.country import country_code
from transforms.profiles.normalize.text import as_number, cached_text

_TAG: Final = re.compile(
    r"(?P<language>[a-z]{2,3})"
    r"(?:-(?P<script>[a-z]{4}))?"
    r"(?:-(?P<region>[a-z]{2}|\d{3}))?"
    r"(?P<rest>(?:-(?:[a-z0-9]{5,8}|\d[a-z0-9]{3}|[a-z0-9](?:-[a-z0-9]{2,8})+))*)",
    re.ASCII | re.IGNORECASE,
)
# "en_US.UTF-8", "de@euro", "fr-CH, fr;q=0.9": the tag is what stands before these.
_AFTER_TAG: Final = re.compile(r"[.@,;]")


@cached_text
def normalise_language(text: str) -> str | None:
    """A BCP 47 tag in its usual case (`en-US`, `zh-Hant-TW`), of a tag, a locale or a language's English name."""
    name = _languages().get(text.casefold())
    tag = _TAG.fullmatch(_AFTER_TAG.split(text, maxsplit=1)[0].strip().replace("_", "-"))
    if tag is None or (name and len(text) > 3):
        return name
    language = _languages().get(tag["language"].lower())
    region = tag["region"]
    if region and region.isalpha():
        region = country_code(region)
        if region is None:
            return None
    if language is None:
        return None
    script = f"-{tag['script'].title()}" if tag["script"] else ""
    return language + script + (f"-{region}" if region else "") + tag["rest"].lower()


@cache
def _languages() -> Mapping[str, str]:
    """Code of two letters (of three where there is none) of each code and English name."""
    import pycountry

    codes: dict[str, str] = {}
    for language in pycountry.languages:
        code = getattr(language, "alpha_2", language.alpha_3)
        for attribute in ("alpha_2", "alpha_3", "bibliographic"):
            if hasattr(language, attribute):
                codes[getattr(language, attribute)] = code
        if len(code) == 2:  # seven thousand rarer names would only hide misspellings
            codes[language.name.casefold()] = code
    return codes


@cached_text
def normalise_timezone(text: str) -> str | None:
    """A name of the IANA time zone database, in its own case."""
    return _timezones().get(text.casefold().replace(" ", "_"))


@cache
def _timezones() -> Mapping[str, str]:
    from zoneinfo import available_timezones

    return {name.casefold(): name for name in sorted(available_timezones() - {"Factory", "localtime"})}


def normalise_latitude(value: Any) -> float | None:
    """Degrees north, -90 to 90."""
    return _degrees(value, 90.0)


def normalise_longitude(value: Any) -> float | None:
    """Degrees east, -180 to 180."""
    return _degrees(value, 180.0)


def _degrees(value: Any, largest: float) -> float | None:
    degrees = as_number(value)
    # -0.0 + 0.0 is 0.0: one place, one value.
    return degrees + 0.0 if degrees is not None and abs(degrees) <= largest else None
