"""What a person reads: summaries, progress, previews, failures, in plain text or JSON."""
