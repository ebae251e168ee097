"""Takes events in over HTTP, and tells who is in which segment: docs/collect.md."""
