"""Braze: Liquid with values as `{{${first_name}}}` and `{{custom_attribute.${plan}}}`, also inside tags."""

from __future__ import annotations

from transforms.content.block import Field
from transforms.content.platforms.liquid_family import LiquidFamily

_STANDARD = {
    "first_name": "first_name",
    "last_name": "last_name",
    "email": "email_address",
    "phone": "phone_number",
    "city": "city",
    "country": "country",
    "language": "language",
    "gender": "gender",
    "timezone": "time_zone",
    "birthday": "date_of_birth",
    "user_id": "user_id",
}


class Braze(LiquidFamily):
    title = "Braze"

    def operand(self, field: Field) -> str:
        return f"{{{{{self._inside(field)}}}}}"

    def shown(self, field: Field) -> str:
        return self._inside(field)

    def segments(self) -> str:
        return "{{custom_attribute.${segments}}}"

    def _inside(self, field: Field) -> str:
        if field.path in _STANDARD and field.path not in self._fields:
            return f"${{{_STANDARD[field.path]}}}"
        return f"custom_attribute.${{{self.field(field)}}}"
