"""Whose an event is: links of devices, aliases of users, erasure."""
