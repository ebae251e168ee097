"""How the stream keeps state, and moves facts between keys. Knows no customer."""
