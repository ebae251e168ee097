resource "google_dataflow_flex_template_job" "stream" {
  provider = google

  name                    = "${var.name}-stream"
  region                  = var.region
  container_spec_gcs_path = var.template
  service_account_email   = google_service_account.job.email
  temp_location           = "gs://${google_storage_bucket.work.name}/tmp"
  staging_location        = "gs://${google_storage_bucket.work.name}/staging"
  sdk_container_image     = var.image
  max_workers             = var.max_workers
  enable_streaming_engine = true
  autoscaling_algorithm   = "THROUGHPUT_BASED"
  additional_experiments  = ["use_runner_v2"]

  # Destroying the resource stops reading and keeps what is in flight out of the tables: draining would send the
  # watermark to infinity, and every "has not bought" would come true.
  on_delete                    = "cancel"
  skip_wait_on_job_termination = false

  parameters = {
    input    = "pubsub:${google_pubsub_subscription.events.id}"
    segments = "/template/segments"
    traits   = "/template/traits"
    output   = "bigquery:${var.project}.${google_bigquery_dataset.tables.dataset_id}"
  }

  depends_on = [
    google_project_iam_member.job_worker,
    google_project_iam_member.job_queries,
    google_bigquery_dataset_iam_member.job_tables,
    google_pubsub_subscription_iam_member.job_reads,
    google_pubsub_subscription_iam_member.job_looks,
    google_storage_bucket_iam_member.job_work,
  ]
}
