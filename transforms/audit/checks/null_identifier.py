"""Events that come without a user id or without an anonymous id, which used to have one."""

from __future__ import annotations

from transforms.audit.check import share_check
from transforms.audit.shares import ShareRule

CHECK = share_check(
    "null_identifier",
    "events without a `userId`, or without an `anonymousId`",
    """SELECT source, source || ': user_id', day, count(*) FILTER (user_id IS NULL), count(*) FROM kept GROUP BY ALL
       UNION ALL
       SELECT source, source || ': anonymous_id', day, count(*) FILTER (anonymous_id IS NULL), count(*)
       FROM kept GROUP BY ALL""",
    ShareRule(least=0.2, floor=0.04),
)
