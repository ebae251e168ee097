"""BigQuery: tables made and checked, loads of a bounded job, appends of a stream, reading back."""
