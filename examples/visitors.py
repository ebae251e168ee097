"""Who visits the shop. All about a visitor follows from the seed and the visitor's number: nothing is stored."""

from __future__ import annotations

import uuid
from typing import Final

from examples.catalogue import CITIES, CITY_SHARES, COMPANIES, FIRST_NAMES, LAST_NAMES, PRODUCTS, City

# The terminal in the shop, one device that everybody browses on and nobody signs in to.
KIOSK: Final = -1
# The customers of segments/vip.yaml.
VIP_NUMBERS: Final = (1, 7, 42, 108, 256)

_MASK: Final = (1 << 64) - 1
_DRAWS: Final = 4096  # what `_pick` chooses from is at most as long
_CITY_OF: Final = tuple(city for city, share in zip(CITIES, CITY_SHARES, strict=True) for _ in range(share))
_CATEGORIES: Final = tuple(dict.fromkeys(product.category for product in PRODUCTS))
_DEVICES: Final = ("desktop",) * 18 + ("mobile",) * 18 + ("tablet", "tablet", "ios", "android")
_AGENTS: Final = {
    "desktop": (
        "Mozilla/5.0 (Windows NT 10.0; Win64; x64) Chrome/126.0 Safari/537.36",
        "Mozilla/5.0 (Macintosh; Intel Mac OS X 14_5) Version/17.5 Safari/605.1",
        "Mozilla/5.0 (X11; Linux x86_64; rv:127.0) Firefox/127.0",
    ),
    "mobile": (
        "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5) Mobile Safari/604.1",
        "Mozilla/5.0 (Linux; Android 14; Pixel 8) Chrome/126.0 Mobile Safari/537.36",
    ),
    "tablet": ("Mozilla/5.0 (iPad; CPU OS 17_5) Version/17.5 Safari/605.1",),
    "ios": ("Shop/5.2.1 CFNetwork/1496.0.7 Darwin/23.5.0",),
    "android": ("Shop/5.2.0 (Linux; U; Android 14; Pixel 7a)",),
}
_LOYALTY: Final = ("none", "none", "bronze", "silver", "Gold", "gold member", "platinum")
_GENDERS: Final = ("female", "male", "F", "m", "non-binary", "prefer not to say")
_TIERS: Final = ("free", "free", "Plus", "premium")
_INCOMES: Final = ('"25k-50k"', '"50k-75k"', "82000", '"150k+"', '"high"')


def scramble(number: int) -> int:
    """64 bits that look random, always the same for a number (the finaliser of splitmix64)."""
    number = (number + 0x9E3779B97F4A7C15) & _MASK
    number = ((number ^ (number >> 30)) * 0xBF58476D1CE4E5B9) & _MASK
    number = ((number ^ (number >> 27)) * 0x94D049BB133111EB) & _MASK
    return number ^ (number >> 31)


class Visitor:
    """What never changes about a visitor.

    Args:
        seed: the shop's seed.
        number: counts from 0, or KIOSK.
    """

    __slots__ = ("_bits", "number", "seed")

    def __init__(self, seed: int, number: int) -> None:
        self.seed = seed
        self.number = number
        start = scramble((seed << 32) + number + 1)
        self._bits = start | scramble(start) << 64

    def _pick(self, trait: int, choices: int) -> int:
        """A number below `choices`, fixed for this visitor; `trait` (0 to 9) names what is being chosen."""
        return (self._bits >> 12 * trait) % _DRAWS * choices // _DRAWS

    @property
    def user_id(self) -> str:
        return f"u_{self.number + 1:05d}"

    def former_user_id(self, generation: int) -> str:
        """The id of an account that the visitor had before; an alias merges it. Generation 2 is older than 1."""
        return f"old{generation}_{self.number + 1:05d}"

    @property
    def former_accounts(self) -> int:
        """0 for most, 1 for one in 25, 2 for one in 50."""
        return (2, 1, 1)[draw] if (draw := self._pick(0, 50)) < 3 else 0

    @property
    def shares_device(self) -> bool:
        """Whether two people use this visitor's device: a couple with neighbouring numbers. 4 of 100 visitors do."""
        return self.number >= 0 and Visitor(self.seed, self.number & ~1)._pick(1, 25) == 0

    @property
    def anonymous_id(self) -> str:
        if self.number == KIOSK:
            return "kiosk-berlin-mitte"
        owner = self.number & ~1 if self.shares_device else self.number
        high = scramble(self.seed ^ owner << 20)
        return str(uuid.UUID(int=high << 64 | scramble(high), version=4))

    @property
    def second_anonymous_id(self) -> str | None:
        """Of the second device, which one in five has."""
        if self.number == KIOSK or self._pick(2, 5):
            return None
        high = scramble(~self.seed & _MASK ^ self.number << 20)
        return str(uuid.UUID(int=high << 64 | scramble(high), version=4))

    @property
    def city(self) -> City:
        return CITIES[0] if self.number == KIOSK else _CITY_OF[self._pick(3, len(_CITY_OF))]

    @property
    def device_type(self) -> str:
        return "tablet" if self.number == KIOSK else _DEVICES[self._pick(4, len(_DEVICES))]

    @property
    def user_agent(self) -> str:
        agents = _AGENTS[self.device_type]
        return agents[self._pick(5, len(agents))]

    @property
    def favourite_category(self) -> str:
        return _CATEGORIES[self._pick(6, len(_CATEGORIES))]

    @property
    def allows_marketing(self) -> bool:
        return self._pick(7, 4) > 0

    @property
    def email(self) -> str:
        first, last = self._name()
        return f"{first}.{last}.{self.number + 1}@example.{'com' if self._pick(7, 2) else 'org'}".lower()

    @property
    def asks_for_deletion(self) -> bool:
        return self.number + 1 not in VIP_NUMBERS and self._pick(8, 60) == 0

    @property
    def company(self) -> str | None:
        """One in twelve buys for a company."""
        return COMPANIES[self.number % len(COMPANIES)] if self._pick(8, 12) == 11 else None

    def _name(self) -> tuple[str, str]:
        first = FIRST_NAMES[scramble(self.number ^ self.seed) % len(FIRST_NAMES)]
        return first, LAST_NAMES[scramble(self.number + self.seed) % len(LAST_NAMES)]

    def traits_json(self, signed_up_at: str) -> str:
        """The traits of an identify, as JSON text.

        Half of the visitors come through a form that writes camelCase and an address object, half through one that
        writes snake_case. One in forty typed a phone number that is none.
        """
        first, last = self._name()
        city, draw = self.city, self._pick(9, 400)
        phone = "call me" if draw < 10 else city.phone.format(draw % 100)
        member = f'"loyalty_status":"{_LOYALTY[draw % len(_LOYALTY)]}","plan":"{_TIERS[draw % len(_TIERS)]}"'
        consent = f'"consent":{{"marketing":{"true" if self.allows_marketing else "false"},"analytics":true}}'
        if draw % 2:
            return (
                f'{{"firstName":"{first}","lastName":"{last}","email":"{self.email}","phone":"{phone}",'
                f'"city":"{city.name}","address":{{"street":"{draw} Example Street","city":"{city.name}",'
                f'"state":"{city.region}","postalCode":"{city.postal_code}","country":"{city.country_name}"}},'
                f'"birthday":"{1950 + draw % 55}-{1 + draw % 12:02d}-{1 + draw % 28:02d}","createdAt":"{signed_up_at}",'
                f'"gender":"{_GENDERS[draw % len(_GENDERS)]}",{member},{consent}}}'
            )
        return (
            f'{{"first_name":"{first}","last_name":"{last}","email":"{self.email.upper()}","mobile":"{phone}",'
            f'"city":"{city.name}","region":"{city.region}","zip":"{city.postal_code}","country":"{city.country}",'
            f'"latitude":{city.latitude},"longitude":{city.longitude},"timezone":"{city.timezone}",'
            f'"language":"{city.locale.replace("-", "_")}","age":{18 + draw % 60},"signed_up_at":"{signed_up_at[:10]}",'
            f'"income_bracket":{_INCOMES[draw % len(_INCOMES)]},{member},{consent}}}'
        )
