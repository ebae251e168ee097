"""What each destination should hold, and by which requests it gets there: plain decisions, no connection, no clock."""
