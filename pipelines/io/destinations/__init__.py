"""Destinations: one file each, over one HTTP client that knows time limits, rates and what may be tried again."""
