"""Accounts: who is in them, what is true of them, and of which segments they are members."""
