"""From the rows of a REST API to events. Pure: connections are in pipelines/io/http."""
