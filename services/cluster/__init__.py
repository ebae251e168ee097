"""A cluster of several machines on this one: hosts that share nothing but a network, and Flink on them."""
