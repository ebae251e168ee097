output "topic" {
  description = "Where the API publishes: --events pubsub:TOPIC."
  value       = google_pubsub_topic.events.id
}

output "tables" {
  description = "The job's output, as the other commands take it."
  value       = "bigquery:${var.project}.${google_bigquery_dataset.tables.dataset_id}"
}

output "api_service_account" {
  description = "What the API runs as."
  value       = google_service_account.api.email
}
