"""Where bytes come in and rows go out, by place: the only importers of connectors."""
