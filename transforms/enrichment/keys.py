"""What a table is joined by: the same form of a key on both sides."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from transforms.segments.values import trait_value

# Mailboxes of everybody: their domain says nothing about who somebody works for.
FREE_MAIL: Final = frozenset(
    "aol.com fastmail.com gmail.com gmx.at gmx.ch gmx.com gmx.de gmx.net googlemail.com hotmail.com hotmail.de "
    "hotmail.fr icloud.com live.com mac.com mail.com mail.ru me.com msn.com outlook.com outlook.de proton.me "
    "protonmail.com qq.com t-online.de web.de yahoo.co.uk yahoo.com yahoo.de yahoo.fr yandex.ru".split()
)

_COLUMNS: Final = frozenset(("email", "phone", "user_id", "city", "region", "country", "postal_code", "profile_id"))


def table_key(by: str, value: Any) -> str | None:
    """The key of a row of the table; None: it has none."""
    if value is None or isinstance(value, dict | list):
        return None
    text = str(value).strip()
    if by == "domain":
        return _domain(text if "@" in text else f"@{text}")
    if by == "email":
        from transforms.profiles.normalize.contact import normalise_email

        return normalise_email(text)
    if by == "phone":
        from transforms.profiles.normalize.contact import normalise_phone

        return normalise_phone(text, None)
    return (text if by in ("user_id", "profile_id") else text.casefold()) or None


def profile_key(by: str, columns: Mapping[str, Any], traits: dict[str, Any]) -> str | None:
    """The key of a profile: of a typed column, else of a trait of that name; None: it has none."""
    if by == "domain":
        return _domain(columns.get("email") or "")
    found = columns.get(by) if by in _COLUMNS else None
    return table_key(by, trait_value(traits, by) if found is None else found)


def _domain(email: str) -> str | None:
    domain = email.rpartition("@")[2].strip().lower().removeprefix("www.")
    return None if not domain or domain in FREE_MAIL else domain
