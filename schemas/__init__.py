"""What the data looks like: the tracking plan, the parsed event and the output tables."""
