"""What was compiled is tested where it was; a machine without a C compiler has none of it."""

from transforms.parse import plain_events

collect_ignore = [] if plain_events.Reader is not None else ["test_plain_events.py"]
