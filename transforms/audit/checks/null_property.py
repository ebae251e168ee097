"""A property that loses its values, as when a tracker's release drops it."""

from __future__ import annotations

from transforms.audit.check import share_check
from transforms.audit.prepare import null_shares
from transforms.audit.shares import ShareRule

CHECK = share_check(
    "null_property",
    "events without a value of a property that they used to have",
    null_shares("properties"),
    ShareRule(least=0.15, fewest=8),
)
