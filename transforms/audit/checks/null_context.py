"""A field of the context that loses its values, of all events of a source."""

from __future__ import annotations

from transforms.audit.check import share_check
from transforms.audit.prepare import null_shares
from transforms.audit.shares import ShareRule

CHECK = share_check(
    "null_context",
    "events without a value of a field of their context",
    null_shares("context"),
    ShareRule(least=0.15, fewest=8),
)
