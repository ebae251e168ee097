# Events in. The topic keeps what was acknowledged too: `gcloud pubsub subscriptions seek` replays it.
resource "google_pubsub_topic" "events" {
  name                       = "${var.name}-events"
  message_retention_duration = "${var.retention_days * 86400}s"
}

resource "google_pubsub_subscription" "events" {
  name  = "${var.name}-events"
  topic = google_pubsub_topic.events.id

  ack_deadline_seconds       = 600
  message_retention_duration = "${var.retention_days * 86400}s"
  retain_acked_messages      = true

  # The job asks for no order: the tables are the same in any. It never expires for want of a reader.
  expiration_policy {
    ttl = ""
  }

  retry_policy {
    minimum_backoff = "10s"
    maximum_backoff = "600s"
  }
}
