# What tocsin needs in Google Cloud; made by `tocsin provision --emit terraform`. Make it anew when the rules change: the
# sinks' filters are theirs.

terraform {
  required_providers {
    google = {
      source  = "hashicorp/google"
      version = ">= 5.0"
    }
  }
}

resource "google_pubsub_topic" "topic_projects_ops_topics_tocsin" {
  project = "ops"
  name    = "tocsin"
}

resource "google_pubsub_subscription" "subscription_projects_ops_subscriptions_tocsin" {
  project                    = "ops"
  name                       = "tocsin"
  topic                      = google_pubsub_topic.topic_projects_ops_topics_tocsin.id
  ack_deadline_seconds       = 60
  message_retention_duration = "604800s"

  expiration_policy {
    ttl = "" # it never expires
  }
}

resource "google_logging_project_sink" "sink_projects_prow_sinks_tocsin" {
  project                = "prow"
  name                   = "tocsin"
  destination            = "pubsub.googleapis.com/${google_pubsub_topic.topic_projects_ops_topics_tocsin.id}"
  filter                 = "severity>=ERROR AND jsonPayload.msg=\"a $${b}\""
  unique_writer_identity = true
}

resource "google_pubsub_topic_iam_member" "sink_projects_prow_sinks_tocsin" {
  project = google_pubsub_topic.topic_projects_ops_topics_tocsin.project
  topic   = google_pubsub_topic.topic_projects_ops_topics_tocsin.name
  role    = "roles/pubsub.publisher"
  member  = google_logging_project_sink.sink_projects_prow_sinks_tocsin.writer_identity
}

resource "google_logging_folder_sink" "sink_folders_42_sinks_tocsin" {
  folder           = "42"
  name             = "tocsin"
  destination      = "pubsub.googleapis.com/${google_pubsub_topic.topic_projects_ops_topics_tocsin.id}"
  filter           = ""
  include_children = true
}

resource "google_pubsub_topic_iam_member" "sink_folders_42_sinks_tocsin" {
  project = google_pubsub_topic.topic_projects_ops_topics_tocsin.project
  topic   = google_pubsub_topic.topic_projects_ops_topics_tocsin.name
  role    = "roles/pubsub.publisher"
  member  = google_logging_folder_sink.sink_folders_42_sinks_tocsin.writer_identity
}

resource "google_pubsub_subscription_iam_member" "subscription_projects_ops_subscriptions_tocsin" {
  project      = "ops"
  subscription = google_pubsub_subscription.subscription_projects_ops_subscriptions_tocsin.name
  role         = "roles/pubsub.subscriber"
  member       = "principal://iam.googleapis.com/projects/7/locations/global/workloadIdentityPools/ops.svc.id.goog/subject/ns/tocsin/sa/tocsin"
}

resource "google_project_iam_member" "grant_roles_logging_viewer_projects_prow" {
  project = "prow"
  role    = "roles/logging.viewer"
  member  = "principal://iam.googleapis.com/projects/7/locations/global/workloadIdentityPools/ops.svc.id.goog/subject/ns/tocsin/sa/tocsin"
}

resource "google_folder_iam_member" "grant_roles_logging_viewer_folders_42" {
  folder = "42"
  role   = "roles/logging.viewer"
  member = "principal://iam.googleapis.com/projects/7/locations/global/workloadIdentityPools/ops.svc.id.goog/subject/ns/tocsin/sa/tocsin"
}

resource "google_organization_iam_member" "grant_roles_logging_viewer_organizations_1" {
  org_id = "1"
  role   = "roles/logging.viewer"
  member = "principal://iam.googleapis.com/projects/7/locations/global/workloadIdentityPools/ops.svc.id.goog/subject/ns/tocsin/sa/tocsin"
}

resource "google_project_iam_member" "grant_roles_logging_viewAccessor_projects_prow_projects_prow_locations_global_buckets_b_views_v" {
  project = "prow"
  role    = "roles/logging.viewAccessor"
  member  = "principal://iam.googleapis.com/projects/7/locations/global/workloadIdentityPools/ops.svc.id.goog/subject/ns/tocsin/sa/tocsin"

  condition {
    title      = "tocsin"
    expression = "resource.name.endsWith(\"locations/global/buckets/b/views/v\")"
  }
}

resource "google_monitoring_alert_policy" "silent" {
  project               = "ops"
  display_name          = "tocsin is silent"
  combiner              = "OR"
  severity              = "CRITICAL"
  user_labels           = { made_by = "tocsin-provision" }
  notification_channels = ["projects/ops/notificationChannels/1"]

  conditions {
    display_name = "tocsin is silent"

    condition_prometheus_query_language {
      query                     = "absent_over_time(up[2m])"
      duration                  = "30s"
      evaluation_interval       = "30s"
      disable_metric_validation = true
    }
  }

  documentation {
    content   = "Nothing was heard of tocsin for minutes: it is gone, hangs, or cannot write. **Nobody is alerted of anything else until it is back.**\n\n1. `kubectl -n tocsin get pods`, and the log of what is there.\n2. `kubectl -n tocsin port-forward PODNAME 8481`, then `curl 127.0.0.1:8481/healthz` says what is wrong.\n3. docs/operations.md, \"When it does not start\"."
    mime_type = "text/markdown"
  }
}
