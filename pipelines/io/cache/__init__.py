"""Who is in which segment, in Redis: docs/cache.md has the key layout."""
