"""Everything that is held about one person, and nothing of anybody else. Pure."""
