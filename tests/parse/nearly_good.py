"""Messages that are good, or nearly so, in every way in which JSON can be written. By a seed."""

from __future__ import annotations

from random import Random

import orjson

NAMES = ("Product Viewed", "Order Completed", "Products Searched", "Something Else", "Grüße 🎈", "")
TEXTS = (
    "boots",
    "",
    " ",
    "0",
    "-1",
    "00-0",
    "Null",
    "anonymous",
    " ada ",
    "u_15986",
    "Ünal",
    "\u212aunde",
    "kunde",
    "EUR",
    "EURO",
    '"quoted"',
    "a/b\\c",
    "tab\tnew\nline",
    "\x00\x1f\x7f",
    "🎈",
    "\u00a0x",
    "x" * 70,
)
INSTANTS = (
    "2027-03-01T12:00:00.000Z",
    "2027-03-01T12:00:00Z",
    "2027-03-01T12:00:00.123456Z",
    "2027-03-01T12:00:00.1234567Z",
    "2027-03-01T12:00:00.Z",
    "2027-03-01T13:00:00+01:00",
    "2027-03-01 12:00:00Z",
    "2028-02-29T00:00:00Z",
    "2027-02-29T00:00:00Z",
    "2100-02-29T00:00:00Z",
    "2000-02-29T23:59:59.9Z",
    "2027-03-01T24:00:00Z",
    "2027-03-01T12:00:60Z",
    "2027-13-01T12:00:00Z",
    "0001-01-01T00:00:00Z",
    "0000-01-01T00:00:00Z",
    "9999-12-31T23:59:59.999999Z",
    "1969-12-31T23:59:59.999999Z",
    "2027-W09-1T12:00:00Z",
    "20270301T120000Z",
    "2027-03-01",
    "2027-03-05T12:00:00Z",
    "",
)
NUMBERS = (
    "0", "-0", "0.0", "-0.0", "1", "-1", "01", "1.", ".5", "1.0", "1.50", "110.00", "129.95", "-3.100", "0.1", "0.0001",
    "0.00012", "0.00001", "0.30000000000000004", "123456789012345", "123456789012.125", "12345678901234.5",
    "1234567890123456.5", "999999999999999999", "9223372036854775807", "9223372036854775808", "18446744073709551616",
    "1e5", "1E-5", "1e400", "2.5e3", "100000000000000000.0", "-", "+1", "NaN", "Infinity", "0x10", "1_000",
)  # fmt: skip


def raw_message(seed: int) -> bytes:
    """One message; of many, most are good."""
    return _Writer(Random(seed)).message()  # noqa: S311 - test data, no secret


class _Writer:
    def __init__(self, random: Random) -> None:
        self._random = random
        self._odd = random.choice((0.0, 0.0, 0.01, 0.05))  # how likely anything is not as it should be
        self._spaces = random.random() < 0.3
        self._escapes = random.random() < 0.3

    def message(self) -> bytes:
        text = self._space() + self._object(self._fields()) + self._space()
        raw = text.encode("utf-8", "surrogatepass")
        return self._damaged(raw) if self._random.random() < 0.1 else raw

    def _is_odd(self) -> bool:
        return self._random.random() < self._odd

    def _some(self, chance: float = 0.5) -> bool:
        return self._random.random() < chance

    def _fields(self) -> list[tuple[str, str]]:
        random = self._random
        kind = random.choice(("track", "track", "track", "identify", "page", "screen", "group"))
        if self._is_odd():
            kind = random.choice(("alias", "delete", "retract", "Track", "", "tracks"))
        fields = [("messageId", self._text_value(("m-1", "b4fa50c2c73e8f38"))), ("type", self._string(kind))]
        if kind == "track":
            fields.append(("event", self._text_value(NAMES[:5])))
        elif kind in ("page", "screen") and self._some():
            fields.append(("name", self._text_value(NAMES)))
        fields += [("userId", self._text_value(("ada", "u_1")))] if self._some() else []
        fields += [("anonymousId", self._text_value(("400b468b-d5f5-4aff", "d1")))] if self._some(0.7) else []
        fields.append(("timestamp", self._text_value(INSTANTS[:4], INSTANTS)))
        fields += [("receivedAt", self._text_value(INSTANTS[:3], INSTANTS))] if self._some() else []
        fields += [(name, self._text_value(INSTANTS)) for name in ("sentAt", "originalTimestamp") if self._some(0.2)]
        fields += [(name, self._object_value(name)) for name in ("properties", "traits", "context") if self._some()]
        fields += [
            (name, self._value(2)) for name in ("_metadata", "category", "groupId", "retracts") if self._some(0.2)
        ]
        if kind == "group":
            fields.append(("groupId", self._text_value(("acme",))))
        if self._some():
            random.shuffle(fields)
        if self._is_odd():
            fields.append(random.choice(fields))
        if self._is_odd():
            fields.remove(random.choice(fields))
        return fields

    def _text_value(self, usual: tuple[str, ...], odd: tuple[str, ...] = TEXTS) -> str:
        if not self._is_odd():
            return self._string(self._random.choice(usual))
        return self._string(self._random.choice(odd)) if self._some(0.8) else self._value(1)

    def _object_value(self, of: str) -> str:
        if self._is_odd():
            return self._value(2)
        if self._some(0.1):
            return "null"
        members = [(name, self._member(name)) for name in self._random.sample(_MEMBERS, self._random.randint(0, 7))]
        members += [("traits", self._value(2))] if of == "context" and self._some(0.2) else []
        return self._object(members)

    def _member(self, name: str) -> str:
        if self._some(0.15):
            return self._value(3)
        if name == "products":
            some = [(key, self._member(key)) for key in ("product_id", "price", "quantity")]
            return self._array([self._object(some) for _ in range(self._random.randint(0, 3))])
        if name in ("price", "quantity", "total"):
            return self._number()
        return self._string("EUR" if name == "currency" else self._random.choice(TEXTS))

    def _value(self, depth: int) -> str:
        kind = self._random.randint(0, 6 if depth else 4)
        if kind == 5:
            return self._array([self._value(depth - 1) for _ in range(self._random.randint(0, 3))])
        if kind == 6:
            names = [self._random.choice(TEXTS) for _ in range(self._random.randint(0, 3))]
            return self._object([(name, self._value(depth - 1)) for name in names])
        return (self._string(self._random.choice(TEXTS)), self._number(), "true", "false", "null")[kind]

    def _number(self) -> str:
        if self._some(0.3):
            return f"{self._random.uniform(-1000, 1000):.{self._random.randint(0, 6)}f}"
        if self._some(0.2):
            return str(self._random.randint(-(10**9), 10**9))
        return self._random.choice(NUMBERS if self._is_odd() else NUMBERS[9:16])

    def _string(self, text: str) -> str:
        if not (self._escapes and self._some(0.2)):
            return orjson.dumps(text).decode()
        return '"' + "".join(map(self._character, text)) + '"'

    def _character(self, character: str) -> str:
        if character == "/" and self._some():
            return "\\/"
        if self._is_odd():
            return self._random.choice(("\\ud83d", "\\udc88", "\\u00", "\\x41", "\\", "\ud83d", "\t"))
        if self._some(0.7) and character not in '"\\':
            return orjson.dumps(character).decode()[1:-1]
        units = character.encode("utf-16-be")
        escaped = "".join(f"\\u{units[place]:02x}{units[place + 1]:02X}" for place in range(0, len(units), 2))
        return escaped if self._some() else escaped.upper().replace("\\U", "\\u")

    def _object(self, members: list[tuple[str, str]]) -> str:
        texts = [f"{self._key(name)}{self._space()}:{self._space()}{value}" for name, value in members]
        return self._enclosed("{", texts, "}")

    def _key(self, name: str) -> str:
        return self._string(name) if self._is_odd() else orjson.dumps(name).decode()

    def _array(self, values: list[str]) -> str:
        return self._enclosed("[", values, "]")

    def _enclosed(self, opening: str, texts: list[str], closing: str) -> str:
        comma = ",," if self._is_odd() else ","
        inside = comma.join(self._space() + text + self._space() for text in texts) + ("," if self._is_odd() else "")
        return opening + (inside or self._space()) + closing

    def _space(self) -> str:
        return self._random.choice(("", "", " ", "\n", "\t ", "\r\n")) if self._spaces else ""

    def _damaged(self, raw: bytes) -> bytes:
        place = self._random.randrange(len(raw))
        match self._random.randint(0, 3):
            case 0:
                return raw[:place]
            case 1:
                return raw[:place] + bytes([self._random.randrange(256)]) + raw[place + 1 :]
            case 2:
                return raw[:place] + raw[place + 1 :]
            case _:
                return raw + self._random.choice((b"}", b"{}", b"\x00", b" x"))


_MEMBERS: tuple[str, ...] = (
    "product_id", "price", "quantity", "currency", "products", "total", "name", "category", "email", "größe", "url",
)  # fmt: skip
