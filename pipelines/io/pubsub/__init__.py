"""Google Cloud Pub/Sub by pull."""
