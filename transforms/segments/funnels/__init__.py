"""Streams whose where-condition looks at other events."""
