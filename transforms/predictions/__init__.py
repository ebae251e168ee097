"""What customers will probably do: pure functions over their orders. Arrays are aligned: one element per customer."""
