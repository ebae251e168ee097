"""Pulls a REST API: docs/pull.md."""
