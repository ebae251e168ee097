"""A job's tables on their way out and back: shards, writers, queries."""
