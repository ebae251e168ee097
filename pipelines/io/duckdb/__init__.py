"""A DuckDB file as output: replaced at once by a bounded job, followed by a stream."""
