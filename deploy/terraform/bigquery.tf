# Tables out. The job makes them, with partitions, clusters and descriptions; the dataset holds them.
resource "google_bigquery_dataset" "tables" {
  dataset_id                 = replace(var.name, "-", "_")
  location                   = var.location
  description                = "Tidemark: profiles, segments and events."
  delete_contents_on_destroy = false
  max_time_travel_hours      = 168
}
