"""The members of a static segment, from a CSV file as people and spreadsheets write it."""

from __future__ import annotations

import csv
import io
import re

from schemas.errors import DefinitionErrors, Position, Problem
from transforms.segments.language.errors import SourceFile

COLUMNS = ("user_id", "userId", "id")
"""What the column of user ids may be called; the first of them that there is stands."""
_DELIMITERS = ",;\t|"
# A heading is told in errors, a value that may be somebody's never is.
_HEADING = re.compile(r"[A-Za-z_][A-Za-z_ .-]{0,39}[0-9]{0,3}")
_SHOWN = 12


def read_members(source: SourceFile) -> frozenset[str]:
    """The user ids: of the column that is called so, else of the only column.

    The first line tells the delimiter (comma, semicolon, tab or bar). A file of one column needs no heading.

    Raises:
        DefinitionErrors: several columns, none of which has one of the names; a line without an id; a quote that is
            not closed; a field that is too long. With their lines.
    """
    rows = csv.reader(io.StringIO(source.text, newline=""), delimiter=_delimiter(source.text), strict=True)
    members: set[str] = set()
    problems: list[Problem] = []
    column: int | None = None
    try:
        for row in rows:
            if not any(field.strip() for field in row) and len(row) <= 1:
                continue
            if column is None:
                column, is_heading = _column(source, row, rows.line_num)
                if is_heading:
                    continue
            user_id = row[column].strip() if column < len(row) else ""
            if user_id:
                members.add(user_id)
            else:
                problems.append(Problem(source.name, Position(rows.line_num), "no user id in this line"))
    except csv.Error as error:
        problems.append(Problem(source.name, Position(max(rows.line_num, 1)), f"no CSV: {error}"))
    if problems:
        raise DefinitionErrors(problems)
    return frozenset(members)


def _delimiter(text: str) -> str:
    first = next((line for line in text.splitlines() if line.strip()), "")
    unquoted = re.sub(r'"[^"]*"', "", first)
    return max(_DELIMITERS, key=unquoted.count)


def _column(source: SourceFile, row: list[str], line: int) -> tuple[int, bool]:
    """Which column has the ids, and whether the row is a heading."""
    names = [field.strip() for field in row]
    found = next((names.index(name) for name in COLUMNS if name in names), None)
    if found is not None:
        return found, True
    if len(names) == 1:
        return 0, False
    shown = ", ".join(name if _HEADING.fullmatch(name) else "(a value)" for name in names[:_SHOWN])
    shown += ", ..." if len(names) > _SHOWN else ""
    message = f"none of the columns is called {COLUMNS[0]}: {shown}"
    expected = f"a heading with a column {', '.join(COLUMNS[:-1])} or {COLUMNS[-1]}, or one column only"
    raise DefinitionErrors([Problem(source.name, Position(line), message, expected=expected)])
