"""The values that a program keeps of one profile, each a small machine."""
