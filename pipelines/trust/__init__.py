"""What the commands that audit, match, predict and enrich share: arguments, queries, words."""
