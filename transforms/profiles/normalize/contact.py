"""E-mail addresses and phone numbers."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any, Final

from transforms.profiles.normalize.text import CACHED_VALUES, as_text, cached_text

_INTERNATIONAL: Final = re.compile(r"\s*(?:\+|00|\(\+|\(00)\s*")
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
    """E.164, if the number is as long as numbers of its country are.

    Args:
        value: with + or 00 in front, or as dialled inside `country`; or the international digits without +, if such a
            number is in use.
        country: ISO 3166-1 alpha-2, if known.
    """
    text = as_text(value)
    return _phone(text, country) if text else None


@lru_cache(CACHED_VALUES)
def _phone(text: str, country: str | None) -> str | None:
    import phonenumbers

    international = _INTERNATIONAL.match(text)
    if international:
        return _e164("+" + text[international.end() :], None)
    national = _e164(text, country) if country else None
    if national:
        return national
    if _WITHOUT_PLUS.fullmatch(text):
        guess = _e164("+" + text, None)
        # Eleven digits can be many things; only a number in use is taken for one.
        return guess if guess and phonenumbers.is_valid_number(phonenumbers.parse(guess)) else None
    return None


def _e164(text: str, country: str | None) -> str | None:
    import phonenumbers

    try:
        number = phonenumbers.parse(text, country)
    except phonenumbers.NumberParseException:
        return None
    possible = phonenumbers.is_possible_number_with_reason(number) == phonenumbers.ValidationResult.IS_POSSIBLE
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164) if possible else None
