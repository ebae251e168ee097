"""Vendors' calls -> events: how each is signed, and what it means. Pure: the server is in api/."""
