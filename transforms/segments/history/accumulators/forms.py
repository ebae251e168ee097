"""Reducers that are treated alike. A reducer that is in none of these needs no form of its own."""

from __future__ import annotations

SUMS = frozenset({"sum", "avg"})
EXTREMES = frozenset({"min", "max"})
OF_VALUES = frozenset({"unique", "unique_count", "mode"})
"""Those that tell values apart."""
DECIDED_BY_ONE = EXTREMES | {"first", "last", "first_at", "last_at"}
"""Those whose value one event decides, and so explains."""
