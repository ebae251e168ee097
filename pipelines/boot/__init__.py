"""The history of a stream on one machine, taken in before its graph starts: in worker processes, many events at once."""
