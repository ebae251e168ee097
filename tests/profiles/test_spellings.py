"""Of several spellings of a column the last write decides."""

from typing import Any

import pytest

from transforms.profiles.normalize.traits import columns_of_trait, normalize_column, normalize_traits


def written(*writes: dict[str, Any]) -> tuple[dict[str, Any], tuple[str, ...]]:
    """Columns after identifies, one an hour."""
    last = {name: (value, hour, f"m{hour}") for hour, traits in enumerate(writes) for name, value in traits.items()}
    return normalize_traits(last, None)


@pytest.mark.parametrize(
    ("writes", "column_name", "expected"),
    [
        ([{"Email": "old@example.com"}, {"email": "new@example.com"}], "email", "new@example.com"),
        ([{"email": "old@example.com"}, {"Email": "new@example.com"}], "email", "new@example.com"),
        ([{"Email": "old@example.com"}, {"email": None}], "email", None),
        ([{"Phone": "+12025550143"}, {"phone": "+12025550199"}], "phone", "+12025550199"),
        ([{"firstName": "Ann"}, {"first_name": "Anna"}], "first_name", "Anna"),
        ([{"first_name": "Anna"}, {"fname": "Ann"}], "first_name", "Ann"),
        ([{"city": "Lima"}, {"address": {"city": "Cusco"}}], "city", "Cusco"),
        ([{"city": "Lima"}, {"address": {"zip": "1"}}], "city", "Lima"),
        ([{"city": "Lima"}, {"address": None}], "city", None),
        ([{"city": "Lima"}, {"town": "  "}], "city", None),
    ],
)
def test_of_several_spellings_the_last_write_decides(
    writes: list[dict[str, Any]], column_name: str, expected: Any
) -> None:
    columns, failed = written(*writes)
    assert (columns[column_name], failed) == (expected, ())


def test_a_last_write_that_cannot_be_used_empties_the_column_and_is_counted() -> None:
    columns, failed = written({"email": "old@example.com"}, {"Email": "nobody"})
    assert (columns["email"], failed) == (None, ("email",))


def test_of_one_event_the_first_spelling_with_a_usable_value_decides() -> None:
    assert written({"phone": "12", "mobile": "+12025550143"})[0]["phone"] == "+12025550143"


def test_one_column_alone_is_what_all_together_give() -> None:
    writes = {"Phone": ("(01) 6123456", 1, "m1"), "country": ("Peru", 2, "m2"), "tags": (["a"], 3, "m3")}
    columns, _ = normalize_traits(writes, "iPhone")
    assert {name: normalize_column(name, writes, "iPhone") or ([] if name == "tags" else None) for name in columns} == (
        columns
    )


def test_a_trait_concerns_the_columns_that_read_it() -> None:
    assert columns_of_trait("address") >= {"city", "country", "phone"}
    assert columns_of_trait("Tags") == {"tags"}
    assert columns_of_trait("shoe_size") == frozenset()
