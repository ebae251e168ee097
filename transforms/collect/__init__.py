"""What clients send -> events as they are kept: pure decisions of the API, without a server."""
