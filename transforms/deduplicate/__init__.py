"""Which copies are one event, and which of two contents stands."""
