"""Files as inputs and outputs: read by ranges, watched, replaced at once."""
