"""What a rule means: definitions compiled into a program, events stepped through it."""
