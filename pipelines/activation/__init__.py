"""Activation: reads the tables and the ledger, has the difference decided, and sends it (docs/activation.md)."""
