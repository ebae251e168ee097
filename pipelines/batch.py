"""The graph of the bounded job: inputs -> parse -> deduplicate -> identity -> profiles and segments -> tables."""

import apache_beam as beam

from pipelines.io.files.read_files import ReadFiles, input_bytes
from pipelines.io.locations import BigQueryInput, DuckDBInput, FileInput, KafkaInput
from pipelines.io.stream.read_topics import ReadTopics
from pipelines.io.tables.read_events import ReadTables, table_bytes
from pipelines.io.tables.write_tables import WriteTables
from pipelines.options.profiles import ProfilesOptions
from transforms.accounts.bucket import BuildAccounts
from transforms.deduplicate.bucket import DeduplicateEvents, WriteRetractions
from transforms.identity.bucket import ResolveIdentity
from transforms.identity.erasure import WriteReceipts
from transforms.profiles.bucket import BuildProfiles
from transforms.records import bucket_count


def build_batch(pipeline: beam.Pipeline, options: ProfilesOptions) -> None:
    """Adds the whole job to the pipeline.

    Anonymous profiles are built where their devices are resolved; users' in the bucket of their id; users that aliases
    merged one hop later, in the bucket of the user that they became.
    """
    files = [location for location in options.inputs if isinstance(location, FileInput)]
    topics = [location for location in options.inputs if isinstance(location, KafkaInput)]
    tables = [location for location in options.inputs if isinstance(location, DuckDBInput | BigQueryInput)]
    buckets = bucket_count(input_bytes(files) + table_bytes(tables))
    definitions = options.definitions

    read = pipeline | "ReadFiles" >> ReadFiles(files, options.parser(), buckets)
    read_tables = pipeline | "ReadTables" >> ReadTables(tables, options.parser(), buckets)
    sources = [read, read_tables]
    if topics:
        sources.append(pipeline | "ReadTopics" >> ReadTopics(topics, options.parser(), buckets))
    parsed = [source.events for source in sources] | "Parsed" >> beam.Flatten()
    events = parsed | "DeduplicateEvents" >> DeduplicateEvents(buckets, options.as_of)
    identity = events | "ResolveIdentity" >> ResolveIdentity(
        buckets, options.as_of, options.stitch_window_us, options.max_merges
    )
    by_user = (events.known, identity.known) | "Users" >> beam.Flatten() | "ByUser" >> beam.GroupByKey()
    anonymous = (identity.anonymous, identity.plan) | "BuildAnonymous" >> BuildProfiles(definitions, buckets, 0)
    known = (by_user, identity.plan) | "BuildKnown" >> BuildProfiles(definitions, buckets, buckets)
    by_root = known.merged | "ByRoot" >> beam.GroupByKey()
    merged = (by_root, identity.plan) | "BuildMerged" >> BuildProfiles(
        definitions, buckets, 2 * buckets, regrouped=True
    )
    erased = (identity.erased, known.erased) | "Erased" >> beam.Flatten()
    users = (anonymous.accounts, known.accounts, merged.accounts) | "Accounts" >> beam.Flatten()
    by_account = users | "ByAccount" >> beam.GroupByKey()
    accounts = (by_account, identity.plan) | "BuildAccounts" >> BuildAccounts(definitions)
    receipts = (events.claims, erased, identity.plan) | "WriteReceipts" >> WriteReceipts()
    retractions = events | "WriteRetractions" >> WriteRetractions()
    _ = (
        *(source.failed for source in sources),
        events.failed,
        *identity.tables,
        anonymous.tables,
        known.tables,
        merged.tables,
        accounts,
        receipts,
        retractions,
    ) | "WriteTables" >> WriteTables(options.output)
