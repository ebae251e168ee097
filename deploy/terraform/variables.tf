variable "project" {
  type        = string
  description = "The Google Cloud project."
}

variable "region" {
  type        = string
  description = "Region of the jobs and the bucket, such as europe-west4."
}

variable "location" {
  type        = string
  description = "Location of the dataset, such as EU. It cannot be changed later."
  default     = "EU"
}

variable "name" {
  type        = string
  description = "Prefix of everything that is made here."
  default     = "tidemark"

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{2,20}$", var.name))
    error_message = "Small letters, digits and hyphens, 3 to 21 of them, a letter first."
  }
}

variable "template" {
  type        = string
  description = "The Flex Template's file: gs://BUCKET/templates/tidemark-VERSION.json (deploy/README.md says how to build it)."
}

variable "image" {
  type        = string
  description = "The image of the workers, by digest: REGION-docker.pkg.dev/PROJECT/tidemark/profiles@sha256:..."

  validation {
    condition     = can(regex("@sha256:[0-9a-f]{64}$", var.image))
    error_message = "An image by its digest: a tag may be another image tomorrow."
  }
}

variable "max_workers" {
  type        = number
  description = "The most workers of the streaming job. docs/operations.md says how many a load needs."
  default     = 4
}

variable "retention_days" {
  type        = number
  description = "How long the topic keeps messages, so that a day can be replayed."
  default     = 7

  validation {
    condition     = var.retention_days >= 1 && var.retention_days <= 31
    error_message = "Pub/Sub keeps messages for 1 to 31 days."
  }
}

variable "alert_emails" {
  type        = list(string)
  description = "Who is told when the stream lags, fails or falls silent."
  default     = []
}
