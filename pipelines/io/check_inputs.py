"""Asks, before a job starts, whether those who hold its inputs answer: brokers, subscriptions, tables elsewhere.

Nothing has been made or written then, so what is wrong is one sentence and exit status 2. Files were looked at when the
locations were parsed.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from pipelines.io.locations import BigQueryInput, InputLocation, KafkaInput, PubSubInput
from schemas.errors import InputError


def check_answers(locations: Iterable[InputLocation], kafka_settings: Mapping[str, str]) -> None:
    """Asks each of them.

    Raises:
        InputError: with a line for each that is not there, does not answer, or refuses.
    """
    problems = []
    for location in locations:
        try:
            _check(location, kafka_settings)
        except InputError as error:
            problems.append(str(error))
    if problems:
        raise InputError("\n".join(problems))


def _check(location: InputLocation, kafka_settings: Mapping[str, str]) -> None:
    if isinstance(location, KafkaInput):
        from pipelines.io.kafka.source import KafkaSource
        from pipelines.io.stream.source_options import SourceOptions

        KafkaSource(location, SourceOptions(kafka_settings={**kafka_settings, "log_level": "0"})).count_readers()
    elif isinstance(location, PubSubInput):
        _check_subscription(location)
    elif isinstance(location, BigQueryInput):
        _check_table(location)


def _check_subscription(location: PubSubInput) -> None:
    from google.api_core.exceptions import GoogleAPICallError
    from google.auth.exceptions import GoogleAuthError

    from pipelines.io.pubsub.source import PubSubSource
    from pipelines.io.stream.source_options import SourceOptions

    try:
        PubSubSource(location, SourceOptions()).count_readers()
    except GoogleAPICallError as error:
        raise InputError(f"--input {location.text}: Pub/Sub refuses: {_first_line(error)}") from error
    except GoogleAuthError as error:
        raise InputError(f"--input {location.text}: {_CREDENTIALS}") from error


def _check_table(location: BigQueryInput) -> None:
    from google.api_core.exceptions import GoogleAPICallError, NotFound
    from google.auth.exceptions import GoogleAuthError

    from pipelines.io.bigquery.errors import BigQueryError
    from pipelines.io.bigquery.service import NO_RETRY, REQUEST_SECONDS, START_SECONDS, rest_client, retried

    try:
        client = rest_client(location.project)
        retried(
            "get table",
            lambda: client.get_table(location.table, retry=NO_RETRY, timeout=REQUEST_SECONDS),
            seconds=START_SECONDS,
        )
    except NotFound as error:
        raise InputError(f"--input {location.text}: there is no table {location.table}") from error
    except GoogleAPICallError as error:
        raise InputError(f"--input {location.text}: BigQuery refuses: {_first_line(error)}") from error
    except GoogleAuthError as error:
        raise InputError(f"--input {location.text}: {_CREDENTIALS}") from error
    except BigQueryError as error:
        raise InputError(f"--input {location.text}: BigQuery does not answer: {error}") from error


_CREDENTIALS = "no credentials that are accepted: run `gcloud auth application-default login`"


def _first_line(error: Exception) -> str:
    return (str(getattr(error, "message", error)).splitlines() or [type(error).__name__])[0]
