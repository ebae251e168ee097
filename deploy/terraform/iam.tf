# Two accounts, each with what it needs and no more: the job reads, writes and runs; the API only publishes.
resource "google_service_account" "job" {
  account_id   = "${var.name}-job"
  display_name = "Tidemark: Dataflow workers"
}

resource "google_service_account" "api" {
  account_id   = "${var.name}-api"
  display_name = "Tidemark: the collecting API"
}

resource "google_project_iam_member" "job_worker" {
  project = var.project
  role    = "roles/dataflow.worker"
  member  = google_service_account.job.member
}

resource "google_project_iam_member" "job_queries" {
  project = var.project
  role    = "roles/bigquery.jobUser"
  member  = google_service_account.job.member
}

resource "google_bigquery_dataset_iam_member" "job_tables" {
  dataset_id = google_bigquery_dataset.tables.dataset_id
  role       = "roles/bigquery.dataEditor"
  member     = google_service_account.job.member
}

resource "google_pubsub_subscription_iam_member" "job_reads" {
  subscription = google_pubsub_subscription.events.id
  role         = "roles/pubsub.subscriber"
  member       = google_service_account.job.member
}

# Dataflow looks at the subscription's backlog to scale.
resource "google_pubsub_subscription_iam_member" "job_looks" {
  subscription = google_pubsub_subscription.events.id
  role         = "roles/pubsub.viewer"
  member       = google_service_account.job.member
}

resource "google_storage_bucket_iam_member" "job_work" {
  bucket = google_storage_bucket.work.name
  role   = "roles/storage.objectAdmin"
  member = google_service_account.job.member
}

resource "google_pubsub_topic_iam_member" "api_publishes" {
  topic  = google_pubsub_topic.events.id
  role   = "roles/pubsub.publisher"
  member = google_service_account.api.member
}
