"""The history of a stream on one machine, taken in before its graph starts: in processes, many events at once."""
