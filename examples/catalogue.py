"""What the made-up shop sells, where its customers live, what they are called. Nothing here exists.

Addresses are at example.com and example.org, phone numbers in the ranges that are kept free for fiction.
"""

from __future__ import annotations

from typing import Final, NamedTuple

SHOP: Final = "https://shop.example.com"


class Product(NamedTuple):
    """One article. `json` holds its properties as they stand in an event; `price_cents` is in euro cents."""

    product_id: str
    category: str
    price_cents: int
    path: str
    json: str


class City(NamedTuple):
    """A place with what goes with it. `phone` is a pattern for two digits; empty where no numbers are kept free."""

    name: str
    region: str
    country: str
    country_name: str
    postal_code: str
    latitude: float
    longitude: float
    timezone: str
    locale: str
    phone: str


_ARTICLES: Final = {
    "shoes": ("Trail Runner", "City Sneaker", "Rain Boot", "Canvas Slip-on", "Hiking Boot", "Racing Flat", "Clog"),
    "jackets": ("Wind Shell", "Down Parka", "Rain Anorak", "Fleece Pullover", "Denim Jacket", "Quilted Vest"),
    "backpacks": ("Day Pack", "Roll-top Pack", "Trekking Pack", "Laptop Sleeve", "Hip Bag", "Weekender"),
    "tents": ("Solo Tent", "Ridge Tent", "Family Dome", "Tarp", "Hammock"),
    "cooking": ("Gas Stove", "Titanium Pot", "Folding Cup", "Spork Set", "Water Filter", "Coffee Dripper"),
    "lights": ("Head Torch", "Lantern", "Solar Lamp", "Bike Light", "String Lights"),
    "maps": ("Hut Guide", "Ridge Map", "Coast Map", "Compass", "Field Notebook"),
}
_PRICES_CENTS: Final = {
    "shoes": 8900,
    "jackets": 14900,
    "backpacks": 7900,
    "tents": 22900,
    "cooking": 2900,
    "lights": 3400,
    "maps": 1400,
}
_BRANDS: Final = ("Norrfell", "Altamira Works", "Plainsong", "Kestrel & Co", "Tuuli")

CITIES: Final = (
    City("Berlin", "Berlin", "DE", "Germany", "10115", 52.53, 13.38, "Europe/Berlin", "de-DE", "+49 30 23125 1{:02d}"),
    City("Hamburg", "Hamburg", "DE", "Germany", "20095", 53.55, 10.0, "Europe/Berlin", "de-DE", "040 66969 1{:02d}"),
    City("Munich", "Bavaria", "DE", "DEU", "80331", 48.14, 11.57, "Europe/Berlin", "de-DE", "+49 89 99998 1{:02d}"),
    City("Paris", "Paris", "FR", "France", "75001", 48.86, 2.35, "Europe/Paris", "fr-FR", "+33 1 99 00 12 {:02d}"),
    City("Lyon", "Rhone", "FR", "France", "69001", 45.76, 4.84, "Europe/Paris", "fr-FR", "04 65 71 12 {:02d}"),
    City("London", "England", "GB", "UK", "SW1A 1AA", 51.51, -0.13, "Europe/London", "en-GB", "020 7946 01{:02d}"),
    City("Leeds", "England", "GB", "UK", "LS1 4AP", 53.8, -1.55, "Europe/London", "en-GB", "+44 113 496 01{:02d}"),
    City("New York", "NY", "US", "USA", "10001", 40.75, -73.99, "America/New_York", "en-US", "(212) 555-01{:02d}"),
    City("Chicago", "IL", "US", "United States", "60601", 41.89, -87.62, "America/Chicago", "en-US", "3125550 1{:02d}"),
    City("Madrid", "Madrid", "ES", "Spain", "28001", 40.42, -3.69, "Europe/Madrid", "es-ES", ""),
    City("Vienna", "Vienna", "AT", "Austria", "1010", 48.21, 16.37, "Europe/Vienna", "de-AT", ""),
    City("Zurich", "Zurich", "CH", "Switzerland", "8001", 47.37, 8.54, "Europe/Zurich", "de-CH", ""),
)
# Half of the customers live in the three German cities.
CITY_SHARES: Final = (6, 3, 2, 2, 1, 2, 1, 2, 1, 1, 1, 1)

FIRST_NAMES: Final = tuple(
    "Ada Amir Anna Ben Carla Chen Clara Daria David Elif Emil Emma Farah Felix Finn Greta Hana Ida Ines Ivan Jana "
    "Jonas Julia Karim Lars Lea Leo Lina Luca Maja Malik Marta Max Mia Mila Nadia Nico Nora Omar Oskar Paula Pia Rosa "
    "Sami Sofia Tara Theo Vera Yara Zoe".split()
)
LAST_NAMES: Final = tuple(
    "Abel Adler Bauer Becker Bell Berg Blanc Braun Costa Diaz Duval Ek Falk Ferrer Fischer Fox Garnier Gomez Gray Haas "
    "Hart Holm Hunt Jansen Kaya Keller Klein Koch Kurz Lang Lopez Marsh Meyer Moreau Nash Novak Okoro Ortiz Park Petit "
    "Quinn Reed Rossi Roth Schulz Silva Stone Vega Weber Wolf".split()
)
COMPANIES: Final = ("Alpine Tours", "Harbour Hostel", "Northway School", "Scout Group 12", "Riverside Kayaks")
CAMPAIGNS: Final = ("summer_sale", "new_arrivals", "hut_season", "welcome", "brand_search", "retargeting")
MEDIA: Final = (("newsletter", "email"), ("search", "cpc"), ("social", "paid"), ("partners", "affiliate"))
MAIL_SUBJECTS: Final = ("Sale week", "New in: tents", "Hut season opens", "Your summer list", "Last days of the sale")


def _products() -> tuple[Product, ...]:
    products: list[Product] = []
    for category, names in _ARTICLES.items():
        for position, name in enumerate(names):
            number = len(products) + 1
            product_id, brand = f"p_{number:03d}", _BRANDS[number % len(_BRANDS)]
            cents = _PRICES_CENTS[category] + (position - 2) * _PRICES_CENTS[category] // 5 // 100 * 100
            path = f"/{category}/{name.lower().replace(' ', '-')}"
            json = (
                f'"product_id":"{product_id}","name":"{name}","category":"{category}",'
                f'"brand":"{brand}","price":{money(cents)}'
            )
            products.append(Product(product_id, category, cents, path, json))
    return tuple(products)


def money(cents: int) -> str:
    """Cents as a JSON number in whole units."""
    return f"{cents // 100}.{cents % 100:02d}"


PRODUCTS: Final = _products()
