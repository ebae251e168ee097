"""What holds for every test: generated cases are bounded by their number, never by the clock."""

from hypothesis import HealthCheck, settings

# No deadline and no health check that measures time: a slow machine proves nothing about the code.
settings.register_profile("tidemark", deadline=None, print_blob=True, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("tidemark")
