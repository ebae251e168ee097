"""One profile: its history, its typed columns, its rows."""
