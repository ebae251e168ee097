"""The graph of the bounded job: inputs -> parse -> every decision -> tables."""

import apache_beam as beam

from pipelines.io.files.read_files import ReadFiles, input_bytes
from pipelines.io.locations import BigQueryInput, DuckDBInput, FileInput, KafkaInput
from pipelines.io.stream.read_topics import ReadTopics
from pipelines.io.tables.read_events import ReadTables, table_bytes
from pipelines.io.tables.staging_place import StagingPlace
from pipelines.io.tables.write_tables import WriteTables
from pipelines.options.profiles import ProfilesOptions
from transforms.build_tables import BuildTables
from transforms.records import bucket_count


def build_batch(pipeline: beam.Pipeline, options: ProfilesOptions, place: StagingPlace) -> None:
    """Adds the whole job to the pipeline. `place`: where its shards lie."""
    files = [location for location in options.inputs if isinstance(location, FileInput)]
    topics = [location for location in options.inputs if isinstance(location, KafkaInput)]
    tables = [location for location in options.inputs if isinstance(location, DuckDBInput | BigQueryInput)]
    buckets = bucket_count(input_bytes(files) + table_bytes(tables))

    read = pipeline | "ReadFiles" >> ReadFiles(files, options.parser(), buckets)
    read_tables = pipeline | "ReadTables" >> ReadTables(tables, options.parser(), buckets)
    sources = [read, read_tables]
    if topics:
        sources.append(pipeline | "ReadTopics" >> ReadTopics(topics, options.parser(), buckets))
    parsed = [source.events for source in sources] | "Parsed" >> beam.Flatten()
    built = parsed | "BuildTables" >> BuildTables(
        options.definitions,
        buckets,
        options.as_of,
        stitch_window_us=options.stitch_window_us,
        max_merges=options.max_merges,
    )
    _ = (*(source.failed for source in sources), built) | "WriteTables" >> WriteTables(place)
