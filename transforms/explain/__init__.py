"""Why a profile is in a segment or not, and how a segment lives: pure functions over histories and memberships."""
