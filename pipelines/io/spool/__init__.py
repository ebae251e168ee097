"""A folder of event files that appear when they are complete: no broker, and nothing lost."""
