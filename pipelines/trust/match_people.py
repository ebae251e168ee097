"""The model of transforms/duplicates, asked by splink in a DuckDB database of its own. Equal people, equal pairs."""

from __future__ import annotations

# ruff: noqa: S608 - statements are made of the model's own names
import logging
from collections.abc import Sequence
from typing import Any, Final

import duckdb
import pyarrow as pa

from transforms.duplicates.comparisons import (
    BLOCKING,
    COMPARISONS,
    DUPLICATES_PER_PROFILE,
    FEWEST_PROFILES,
    MISSING,
    MOST_SHARED,
    Comparison,
    Level,
)
from transforms.duplicates.person import Person
from transforms.duplicates.suggest import Pair

_SAMPLE: Final = 1_500
_COUNTED: Final = ("first_name", "last_name", "house_number", "street", "postal_code", "city")
"""Fields whose `u` is counted where there are enough people. The others are of one person anywhere."""

_PUBLISHED_WEIGHT: Final = 2_000
"""Pairs that a published `u` counts for beside those that were seen."""

MOST_PER_CONTACT: Final = 5
"""Profiles with one e-mail address or phone number, beyond which it is an office's."""

_TEXT: Final = pa.string()


def match_people(people: Sequence[Person], least: float) -> list[Pair]:
    """Pairs that are one person with a probability of at least `least`, by their ids."""
    if len(people) < 2:
        return []
    with duckdb.connect() as connection:
        connection.execute("SET preserve_insertion_order = true")
        _load(connection, people)
        shares = _shares(connection) if len(people) >= FEWEST_PROFILES else {}
        return _predict(connection, _settings(len(people), shares), least)


def _load(connection: duckdb.DuckDBPyConnection, people: Sequence[Person]) -> None:
    """The table `people`, with a column for each key on which two of them may be compared."""
    ordered = sorted(people)
    columns = zip(Person._fields, zip(*ordered, strict=True), strict=True)
    given = pa.table(
        {name: pa.array(list(values), pa.list_(_TEXT) if name == "first_names" else _TEXT) for name, values in columns}
    )
    connection.register("given", given)
    keys = ", ".join(f"{key} AS key_{number}" for number, key in enumerate(BLOCKING))
    rare = ", ".join(
        f"CASE WHEN count(*) OVER (PARTITION BY key_{n}) <= {MOST_SHARED} THEN key_{n} END AS key_{n}"
        for n in range(len(BLOCKING))
    )
    names = ", ".join(Person._fields)
    connection.execute(
        f"CREATE TABLE people AS SELECT {names}, {rare} FROM (SELECT *, {keys} FROM given) ORDER BY person_id"
    )
    # An address or number of many people says nothing about any two of them.
    for column in ("email", "phone"):
        connection.execute(
            f"UPDATE people SET {column} = NULL WHERE {column} IN "
            f"(SELECT {column} FROM people GROUP BY {column} HAVING count(*) > {MOST_PER_CONTACT})"
        )
    connection.unregister("given")


def _shares(connection: duckdb.DuckDBPyConnection) -> dict[tuple[str, str], float]:
    """Each level's share among pairs that are two people: pairs of a sample that is the same every time."""
    connection.execute(
        f"CREATE TEMP TABLE sample AS SELECT * FROM people ORDER BY md5(person_id), person_id LIMIT {_SAMPLE}"
    )
    found: dict[tuple[str, str], float] = {}
    for comparison in COMPARISONS:
        if comparison.name not in _COUNTED:
            continue
        names = {name for name in Person._fields if name in comparison.missing + str(comparison.levels)}
        left = ", ".join(f"l.{name} AS {name}_l, r.{name} AS {name}_r" for name in sorted(names))
        outcome = " ".join(
            f"WHEN {level.condition} THEN '{level.name}'" for level in comparison.levels if level.condition != "ELSE"
        )
        case = f"CASE WHEN {comparison.missing} THEN '{MISSING}' {outcome} ELSE '{comparison.levels[-1].name}' END"
        pairs = f"SELECT {left} FROM sample l JOIN sample r ON l.person_id < r.person_id"
        rows = connection.execute(f"SELECT {case}, count(*) FROM ({pairs}) GROUP BY 1").fetchall()
        counts = dict(rows)
        total = sum(counts.get(level.name, 0) for level in comparison.levels)
        for level in comparison.levels:
            seen = counts.get(level.name, 0) + level.u * _PUBLISHED_WEIGHT
            found[comparison.name, level.name] = seen / (total + _PUBLISHED_WEIGHT)
    return found


def _settings(people: int, shares: dict[tuple[str, str], float]) -> Any:
    from splink import SettingsCreator

    return SettingsCreator(
        link_type="dedupe_only",
        unique_id_column_name="person_id",
        probability_two_random_records_match=min(2 * DUPLICATES_PER_PROFILE / people, 0.01),
        comparisons=[_comparison(comparison, shares, people) for comparison in COMPARISONS],
        blocking_rules_to_generate_predictions=[f"l.key_{n} = r.key_{n}" for n in range(len(BLOCKING))],
        retain_matching_columns=True,
    )


def _comparison(comparison: Comparison, shares: dict[tuple[str, str], float], people: int) -> dict[str, Any]:
    missing = {"sql_condition": comparison.missing, "label_for_charts": MISSING, "is_null_level": True}
    levels = [
        _level(level, shares.get((comparison.name, level.name), level.share(people))) for level in comparison.levels
    ]
    return {"output_column_name": comparison.name, "comparison_levels": [missing, *levels]}


def _level(level: Level, u: float) -> dict[str, Any]:
    made: dict[str, Any] = {
        "sql_condition": level.condition,
        "label_for_charts": level.name,
        "m_probability": level.m,
        "u_probability": u,
    }
    if level.frequent:
        made |= {"tf_adjustment_column": level.frequent, "tf_minimum_u_value": 0.001}
    return made


def _predict(connection: duckdb.DuckDBPyConnection, settings: Any, least: float) -> list[Pair]:
    from splink import DuckDBAPI, Linker

    logging.getLogger("splink").setLevel(logging.ERROR)
    api = DuckDBAPI(connection=connection)
    linker = Linker(api.register(connection.table("people")), settings, log_level=None)
    found = linker.inference.predict(threshold_match_probability=least, warning_mode="never")
    relation = found.as_duckdbpyrelation()
    gammas = [f"gamma_{comparison.name}" for comparison in COMPARISONS]
    rows = relation.select(", ".join(["person_id_l", "person_id_r", "match_probability", *gammas])).fetchall()
    return sorted(_pair(row) for row in rows)


def _pair(row: tuple[Any, ...]) -> Pair:
    left, right = sorted(row[:2])
    levels = {}
    for comparison, gamma in zip(COMPARISONS, row[3:], strict=True):
        # splink numbers the levels from the last one up; -1 is missing.
        levels[comparison.name] = MISSING if gamma < 0 else comparison.levels[len(comparison.levels) - 1 - gamma].name
    return Pair(left, right, round(float(row[2]), 6), levels)
