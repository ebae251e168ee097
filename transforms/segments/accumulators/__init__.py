"""Reducers' running values, one file per kind; `reducers.py` says which reducer has which."""
