"""A second process for a stream on one machine: one process of Python keeps one core busy, whatever its threads do."""
