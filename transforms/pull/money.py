"""Amounts and currencies: from however an API writes them to a number and an ISO 4217 code."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Any, Final, Literal

DecimalMark = Literal[".", ","]

SYMBOLS: Final = {"€": "EUR", "$": "USD", "£": "GBP", "¥": "JPY", "₹": "INR", "₩": "KRW", "₽": "RUB", "₺": "TRY"}
_EXPONENTS: Final = {
    **dict.fromkeys("BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF".split(), 0),
    **dict.fromkeys("BHD IQD JOD KWD LYD OMR TND".split(), 3),
    **dict.fromkeys("CLF UYW".split(), 4),
}
"""ISO 4217: digits after the point, where they are not two."""
_CODE = re.compile(r"[A-Za-z]{3}")
_CODE_INSIDE = re.compile(r"(?<![A-Za-z])[A-Z]{3}(?![A-Za-z])")
_AMOUNT = re.compile(r"[+-]?[\d.,]*\d[\d.,]*")
_AMOUNT_NAMES = ("amount", "value", "price", "total")
_CURRENCY_NAMES = ("currency_code", "currency", "currencyCode")


def exponent_of(currency: str | None) -> int:
    """How many digits a currency has after the point.

    >>> exponent_of("JPY"), exponent_of("KWD"), exponent_of("EUR")
    (0, 3, 2)
    """
    return _EXPONENTS.get((currency or "").upper(), 2)


def read_amount(
    value: Any, *, minor_of: str | None = None, exponent: int | None = None, mark: DecimalMark | None = None
) -> int | float:
    """The amount as a number.

    >>> read_amount("1.234,50 €"), read_amount("$1,299"), read_amount(1999, minor_of="EUR"), read_amount(500, minor_of="JPY")
    (1234.5, 1299, 19.99, 500)

    Args:
        value: a number, a text with or without a currency, or an object such as `{"amount": "12.50"}`.
        minor_of: the value counts the smallest unit of this currency ("" for one of two digits).
        exponent: how many digits that unit has, where it is not what ISO 4217 says.
        mark: the decimal mark, for texts such as `1,234` that alone do not tell.

    Raises:
        ValueError: there is no amount in it.
    """  # noqa: E501 - one example, one line
    amount = _decimal(value, mark)
    if minor_of is not None:
        amount = amount.scaleb(-(exponent_of(minor_of) if exponent is None else exponent))
    whole = int(amount) if amount == amount.to_integral_value() else None
    return float(amount) if whole is None else whole


def read_currency(value: Any) -> str:
    """The currency as an ISO 4217 code.

    >>> read_currency("eur"), read_currency("€ 12,50"), read_currency({"amount": "1", "currency_code": "USD"})
    ('EUR', 'EUR', 'USD')

    Raises:
        ValueError: there is none in it.
    """
    if isinstance(value, dict):
        value = next((value[name] for name in _CURRENCY_NAMES if value.get(name)), None)
    if isinstance(value, str):
        text = value.strip()
        if _CODE.fullmatch(text):
            return text.upper()
        if inside := _CODE_INSIDE.search(text):
            return inside[0]
        for symbol, code in SYMBOLS.items():
            if symbol in text:
                return code
    raise ValueError("no currency")


def _decimal(value: Any, mark: DecimalMark | None) -> Decimal:
    if isinstance(value, dict):
        value = next((value[name] for name in _AMOUNT_NAMES if value.get(name) is not None), None)
    if isinstance(value, int | float) and not isinstance(value, bool):
        number = Decimal(str(value))
        if number.is_finite():
            return number
    if isinstance(value, str):
        found = _AMOUNT.search(re.sub(r"(?<=\d)[\s\u00a0\u202f'\u2019](?=\d{3})", "", value.replace("\u2212", "-")))
        if found:
            negative = "-" in value.replace("\u2212", "-") or (value.strip().startswith("(") and ")" in value)
            return abs(Decimal(_plain(found[0], mark))) * (-1 if negative else 1)
    raise ValueError("no amount")


def _plain(text: str, mark: DecimalMark | None) -> str:
    """Digits with a point, if any. Where both marks occur, the last one is the decimal mark; one alone that occurs
    several times parts thousands; a single comma with three digits after it does, too.
    """
    points, commas = text.count("."), text.count(",")
    if mark is None:
        if points and commas:
            mark = "." if text.rfind(".") > text.rfind(",") else ","
        elif points > 1 or (commas == 1 and not re.search(r",\d{3}$", text)):
            mark = ","
        else:
            mark = "."
    return text.replace("," if mark == "." else ".", "").replace(mark, ".")
