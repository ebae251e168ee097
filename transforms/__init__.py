"""Pure decisions about events, people and segments, and beside them the files that bind them to Beam."""
