"""What the commands for people print: text, JSON, progress."""
