"""What may stand on a command line: parsed once, checked before anything starts, into typed values."""
