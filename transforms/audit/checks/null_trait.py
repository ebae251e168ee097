"""A trait that loses its values: a country that turns null."""

from __future__ import annotations

from transforms.audit.check import share_check
from transforms.audit.prepare import null_shares
from transforms.audit.shares import ShareRule

CHECK = share_check(
    "null_trait",
    "`identify` events without a value of a trait that they used to have",
    null_shares("traits"),
    ShareRule(least=0.15, fewest=8),
)
