"""A bounded input's events, resolved on this machine without a runner: for commands that a person waits for."""
