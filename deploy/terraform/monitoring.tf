resource "google_monitoring_notification_channel" "email" {
  for_each     = toset(var.alert_emails)
  display_name = each.value
  type         = "email"
  labels = {
    email_address = each.value
  }
}

locals {
  channels = [for channel in google_monitoring_notification_channel.email : channel.id]
  job      = "resource.type = \"dataflow_job\" AND resource.labels.job_name = \"${google_dataflow_flex_template_job.stream.name}\""
}

# How far the watermark is behind.
resource "google_monitoring_alert_policy" "lag" {
  display_name          = "${var.name}: the stream lags"
  combiner              = "OR"
  notification_channels = local.channels

  conditions {
    display_name = "Watermark behind by more than ten minutes"
    condition_threshold {
      filter          = "metric.type = \"dataflow.googleapis.com/job/data_watermark_age\" AND ${local.job}"
      comparison      = "COMPARISON_GT"
      threshold_value = 600
      duration        = "300s"
      aggregations {
        alignment_period   = "60s"
        per_series_aligner = "ALIGN_MAX"
      }
    }
  }

  documentation {
    content = "docs/operations.md, 'It lags'."
  }
}

resource "google_monitoring_alert_policy" "backlog" {
  display_name          = "${var.name}: messages wait"
  combiner              = "OR"
  notification_channels = local.channels

  conditions {
    display_name = "The oldest message waits for more than ten minutes"
    condition_threshold {
      filter          = "metric.type = \"pubsub.googleapis.com/subscription/oldest_unacked_message_age\" AND resource.type = \"pubsub_subscription\" AND resource.labels.subscription_id = \"${google_pubsub_subscription.events.name}\""
      comparison      = "COMPARISON_GT"
      threshold_value = 600
      duration        = "300s"
      aggregations {
        alignment_period   = "60s"
        per_series_aligner = "ALIGN_MAX"
      }
    }
  }
}

# A silent source is no quiet day: nothing at all came for an hour.
resource "google_monitoring_alert_policy" "silent" {
  display_name          = "${var.name}: no events"
  combiner              = "OR"
  notification_channels = local.channels

  conditions {
    display_name = "Nothing was published for an hour"
    condition_absent {
      filter   = "metric.type = \"pubsub.googleapis.com/topic/send_message_operation_count\" AND resource.type = \"pubsub_topic\" AND resource.labels.topic_id = \"${google_pubsub_topic.events.name}\""
      duration = "3600s"
      aggregations {
        alignment_period   = "300s"
        per_series_aligner = "ALIGN_SUM"
      }
    }
  }
}

# Counters of Beam are gauges in Cloud Monitoring, so these ask in PromQL. Their names: docs/metrics.md.
locals {
  counter = "dataflow_googleapis_com:job_user_counter{monitored_resource=\"dataflow_job\",job_name=\"${google_dataflow_flex_template_job.stream.name}\""
}

# The lag from event to row, as the job itself measures it; the watermark above is of event time.
resource "google_monitoring_alert_policy" "row_lag" {
  display_name          = "${var.name}: rows are late"
  combiner              = "OR"
  notification_channels = local.channels

  conditions {
    display_name = "More than one row in a hundred is written over a minute after its event came in"
    condition_prometheus_query_language {
      query               = "1 - sum(delta(${local.counter},metric_name=\"row_lag_seconds_bucket:60\"}[10m])) / sum(delta(${local.counter},metric_name=\"row_lag_seconds_bucket:inf\"}[10m])) > 0.01"
      duration            = "600s"
      evaluation_interval = "60s"
    }
  }

  documentation {
    content = "docs/operations.md, 'It lags'."
  }
}

resource "google_monitoring_alert_policy" "failed" {
  display_name          = "${var.name}: events fail"
  combiner              = "OR"
  notification_channels = local.channels

  conditions {
    display_name = "More than one event in twenty fails"
    condition_prometheus_query_language {
      query               = "sum(delta(${local.counter},metric_name=~\"events_failed:.*\"}[30m])) / sum(delta(${local.counter},metric_name=\"events_read\"}[30m])) > 0.05"
      duration            = "600s"
      evaluation_interval = "60s"
    }
  }

  documentation {
    content = "docs/operations.md, 'Events fail'."
  }
}
