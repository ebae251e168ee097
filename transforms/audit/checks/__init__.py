"""Every check, one file each. To add one: a file here, a row in CHECKS, a row in docs/audit.md (a test asks for it)."""

from __future__ import annotations

from typing import Final

from transforms.audit.check import Check
from transforms.audit.checks import (
    anonymous_share,
    birthday_age,
    bot,
    clock_shift,
    coordinates,
    country_phone,
    duplicate_share,
    event_volume,
    failed_share,
    future_dates,
    late_share,
    new_ids,
    null_context,
    null_identifier,
    null_property,
    null_trait,
    segment_jump,
    signup_after_order,
    silent_source,
    silo,
    unmatched_ids,
    unplanned_name,
    unplanned_share,
    value_type,
    volume,
)

BOT: Final = bot.CHECK
"""Asked before the others, whose answers would be about the bot."""

CHECKS: Final[tuple[Check, ...]] = (
    silent_source.CHECK,
    volume.CHECK,
    duplicate_share.CHECK,
    clock_shift.CHECK,
    event_volume.CHECK,
    null_property.CHECK,
    null_trait.CHECK,
    null_context.CHECK,
    null_identifier.CHECK,
    value_type.CHECK,
    unplanned_name.CHECK,
    unplanned_share.CHECK,
    failed_share.CHECK,
    late_share.CHECK,
    unmatched_ids.CHECK,
    new_ids.CHECK,
    anonymous_share.CHECK,
    silo.CHECK,
    birthday_age.CHECK,
    country_phone.CHECK,
    future_dates.CHECK,
    signup_after_order.CHECK,
    coordinates.CHECK,
    segment_jump.CHECK,
)
