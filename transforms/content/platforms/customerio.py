"""Customer.io: Liquid over `customer`. An attribute that is missing stops the message, so each has a default."""

from __future__ import annotations

from types import MappingProxyType

from transforms.content.block import Field
from transforms.content.platforms.liquid_family import LiquidFamily


class CustomerIo(LiquidFamily):
    title = "Customer.io"
    own_names = MappingProxyType({"user_id": "id"})
    missing_stops = True

    def operand(self, field: Field) -> str:
        return f"customer.{self.field(field)}"

    def segments(self) -> str:
        return "customer.segments"
