"""What changed for the worse in a job's tables, by day and by source. Pure: SQL as text, and verdicts over its rows."""
