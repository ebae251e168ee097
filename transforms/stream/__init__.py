"""The keyed stages of the stream, wired into a graph."""
