"""E-mail addresses and phone numbers."""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache
from typing import Any, Final

from transforms.profiles.normalize.text import CACHED_VALUES, as_text, cached_text

_INTERNATIONAL: Final = re.compile(r"\s*(?:\+|00|\(\+|\(00)\s*")
_SCHEME: Final = re.compile(r"(?:tel|phone|mobile)\s*:\s*", re.IGNORECASE)
# A spreadsheet's number: 12025550143.0
_FRACTION: Final = re.compile(r"(?<=\d)\.0+$", re.ASCII)
_LARGEST_NUMBER: Final = 10**15
_WITHOUT_PLUS: Final = re.compile(r"[1-9]\d{10,14}", re.ASCII)


@cached_text
def normalise_email(text: str) -> str | None:
    """A syntactically valid address, in lower case, the domain in Unicode. No DNS is asked. `.test` domains pass."""
    from email_validator import EmailNotValidError, validate_email

    try:
        checked = validate_email(text, check_deliverability=False, test_environment=True)
    except EmailNotValidError:
        return None
    # In theory the part before the @ keeps its case; in practice it names one mailbox however it is written.
    return checked.normalized.lower()


def normalise_phone(value: Any, country: str | None) -> str | None:
    """E.164, if it is a number that its country gives out.

    Args:
        value: with + or 00 in front, or as dialled inside `country`; or the international digits without +. `tel:`,
            full-width digits, marks of the direction of writing and a decimal fraction of nothing are taken off.
        country: ISO 3166-1 alpha-2, if known.
    """
    if type(value) is float and value.is_integer() and 0 < value < _LARGEST_NUMBER:
        value = int(value)
    text = as_text(value)
    return _phone(text, country) if text else None


@lru_cache(CACHED_VALUES)
def _phone(text: str, country: str | None) -> str | None:
    text = _unwrapped(text)
    international = _INTERNATIONAL.match(text)
    if international:
        return _e164("+" + text[international.end() :], None)
    national = _e164(text, country) if country else None
    if national:
        return national
    return _e164("+" + text, None) if _WITHOUT_PLUS.fullmatch(text) else None


def _unwrapped(text: str) -> str:
    """The number without what it came wrapped in."""
    plain = "".join(sign for sign in unicodedata.normalize("NFKC", text) if unicodedata.category(sign) != "Cf")
    return _FRACTION.sub("", _SCHEME.sub("", plain.strip(), count=1))


def _e164(text: str, country: str | None) -> str | None:
    import phonenumbers

    try:
        number = phonenumbers.parse(text, country)
    except phonenumbers.NumberParseException:
        return None
    if not phonenumbers.is_valid_number(number):
        return None
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)
