"""The graph of the bounded job: inputs -> parse -> every decision -> tables."""

import apache_beam as beam

from pipelines.io.files.read_files import ReadFiles
from pipelines.io.files.sizes import input_bytes
from pipelines.io.locations import BigQueryInput, DuckDBInput, FileInput, KafkaInput
from pipelines.io.stream.read_topics import ReadTopics
from pipelines.io.tables.event_rows import table_bytes
from pipelines.io.tables.read_events import ReadTables
from pipelines.io.tables.staging_place import StagingPlace
from pipelines.io.tables.write_tables import WriteTables
from pipelines.options.profiles import ProfilesOptions
from transforms.build_tables import BuildTableParts
from transforms.parse.bucket import unite
from transforms.records import bucket_count


def build_batch(pipeline: beam.Pipeline, options: ProfilesOptions, place: StagingPlace) -> None:
    """Adds the whole job to the pipeline. `place`: where its shards lie."""
    files = [location for location in options.inputs if isinstance(location, FileInput)]
    topics = [location for location in options.inputs if isinstance(location, KafkaInput)]
    tables = [location for location in options.inputs if isinstance(location, DuckDBInput | BigQueryInput)]
    buckets = bucket_count(input_bytes(files) + table_bytes(tables))

    # Only what there is: to unite several sources costs every event a hop.
    sources = []
    if tables:
        sources.append(pipeline | "ReadTables" >> ReadTables(tables, options.parser(), buckets))
    if files or not (tables or topics):
        sources.append(pipeline | "ReadFiles" >> ReadFiles(files, options.parser(), buckets))
    if topics:
        sources.append(pipeline | "ReadTopics" >> ReadTopics(topics, options.parser(), buckets))
    built = unite(sources) | "BuildTables" >> BuildTableParts(
        options.definitions,
        buckets,
        options.as_of,
        parser=options.parser(),
        stitch_window_us=options.stitch_window_us,
        max_merges=options.max_merges,
    )
    _ = built | "WriteTables" >> WriteTables(place)
