"""What a stream on one machine has read, kept before anything is done with it; and history first, then live."""
