"""Tables and views of a BigQuery dataset: created, extended by new columns, or refused, before a job starts.

Comes before anything writes. A table that exists with another schema gets the columns it lacks, where they are not
required; every other difference is refused with all of them printed. With `create_tables` off, nothing is created or
changed: all must be there as it should be, for a bounded job also the staging tables that it loads into.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from google.api_core import exceptions
from google.auth.exceptions import DefaultCredentialsError, GoogleAuthError
from google.cloud import bigquery

from pipelines.io.bigquery.errors import BigQueryError
from pipelines.io.bigquery.service import (
    NO_RETRY,
    REQUEST_SECONDS,
    START_SECONDS,
    first_line,
    rest_client,
    retried,
)
from pipelines.io.outputs import BigQueryOutput
from schemas.bigquery import LABELS, bigquery_log, bigquery_staging, bigquery_table, bigquery_view
from schemas.errors import OutputError
from schemas.tables import TABLES, Table

T = TypeVar("T")
_TYPE_NAMES = {"INT64": "INTEGER", "FLOAT64": "FLOAT", "BOOL": "BOOLEAN"}


def prepare_tables(
    output: BigQueryOutput,
    client: bigquery.Client | None = None,
    *,
    bounded: bool = False,
    tables: Sequence[Table] = TABLES,
) -> None:
    """Make the dataset's tables and views what `schemas/tables.py` says. Nothing is changed if anything is refused.

    Args:
        output: the dataset.
        client: of the REST interface.
        bounded: whether it is for a bounded job.
        tables: which tables.

    Raises:
        OutputError: a table differs in a way that cannot be mended, is missing while `create_tables` is off, or the
            dataset cannot be reached. The text lists every difference.
    """
    try:
        _prepare(output, client or rest_client(output.project), _wanted(output, bounded, tables))
    except DefaultCredentialsError as error:
        raise OutputError(f"output {output}: no credentials: run `gcloud auth application-default login`") from error
    except (exceptions.Forbidden, exceptions.Unauthorized) as error:
        raise OutputError(f"output {output}: not allowed: {first_line(error)}") from error
    except exceptions.NotFound as error:
        message = f"there is no project {output.project!r}, or it cannot be seen with these credentials"
        raise OutputError(f"output {output}: {message}") from error
    except exceptions.GoogleAPICallError as error:
        raise OutputError(f"output {output}: refused: {first_line(error)}") from error
    except GoogleAuthError as error:
        raise OutputError(f"output {output}: cannot sign in: {type(error).__name__}") from error
    except BigQueryError as error:
        raise OutputError(f"output {output}: cannot be reached: {error}") from error


def _prepare(output: BigQueryOutput, client: bigquery.Client, wanted: dict[str, dict[str, Any]]) -> None:
    if not _dataset_exists(output, client):
        if not output.create_tables:
            raise OutputError(f"output {output}: there is no dataset {output.dataset!r}")
        _create_dataset(output, client)
    found = {name: _fetch(client, resource) for name, resource in wanted.items()}
    problems = []
    additions: dict[str, list[dict[str, Any]]] = {}
    for name, resource in wanted.items():
        existing = found[name]
        if existing is None:
            if not output.create_tables:
                problems.append(f"{name}: is missing")
        elif "view" in resource:
            problems.extend(_view_differences(name, resource, existing, output.create_tables))
        else:
            additions[name], differences = _compare(name, resource, existing)
            problems.extend(differences)
            if not output.create_tables:
                problems.extend(f"{name}.{field['name']}: is missing" for field in additions[name])
    if problems:
        raise OutputError(f"output {output}: the tables are not as expected:\n  " + "\n  ".join(problems))
    if output.create_tables:
        for name, resource in wanted.items():
            _make(client, resource, found[name], additions.get(name, []))


def _wanted(output: BigQueryOutput, bounded: bool, tables: Sequence[Table]) -> dict[str, dict[str, Any]]:
    """Resources by name, tables before the views that read them."""
    place = (output.project, output.dataset)
    if output.layout == "cdc":
        resources = [bigquery_table(table, *place) for table in tables]
    else:
        resources = [bigquery_log(table, *place) for table in tables]
        resources += [bigquery_view(table, *place) for table in tables]
        if bounded and not output.create_tables:
            resources += [bigquery_staging(table, *place) for table in tables]
    return {resource["tableReference"]["tableId"]: resource for resource in resources}


# --- what is there ---------------------------------------------------------------------------------------------------


def _dataset_exists(output: BigQueryOutput, client: bigquery.Client) -> bool:
    reference = f"{output.project}.{output.dataset}"
    try:
        _asked("get dataset", lambda: client.get_dataset(reference, retry=NO_RETRY, timeout=REQUEST_SECONDS))
    except exceptions.NotFound:
        return False
    return True


def _create_dataset(output: BigQueryOutput, client: bigquery.Client) -> None:
    dataset = bigquery.Dataset(f"{output.project}.{output.dataset}")
    dataset.labels = dict(LABELS)
    _create("create dataset", lambda: client.create_dataset(dataset, retry=NO_RETRY, timeout=REQUEST_SECONDS))


def _fetch(client: bigquery.Client, resource: dict[str, Any]) -> dict[str, Any] | None:
    reference = bigquery.TableReference.from_api_repr(resource["tableReference"])
    try:
        table = _asked("get table", lambda: client.get_table(reference, retry=NO_RETRY, timeout=REQUEST_SECONDS))
    except exceptions.NotFound:
        return None
    found: dict[str, Any] = table.to_api_repr()
    return found


def _asked(what: str, call: Callable[[], T]) -> T:
    """Not for as long as a running job would try: somebody waits for the job to start."""
    return retried(what, call, seconds=START_SECONDS)


# --- differences -----------------------------------------------------------------------------------------------------


def _view_differences(name: str, wanted: dict[str, Any], existing: dict[str, Any], replaceable: bool) -> list[str]:
    if existing.get("type", "TABLE") != "VIEW":
        return [f"{name}: is a {existing.get('type', 'TABLE').lower()}, expected a view"]
    if not replaceable and existing["view"]["query"] != wanted["view"]["query"]:
        return [f"{name}: is another view, expected {wanted['view']['query']}"]
    return []


def _compare(name: str, wanted: dict[str, Any], existing: dict[str, Any]) -> tuple[list[dict[str, Any]], list[str]]:
    """The columns that can be added, and all other differences."""
    if existing.get("type", "TABLE") != "TABLE":
        return [], [f"{name}: is a {existing['type'].lower()}, expected a table"]
    have = {field["name"].lower(): field for field in existing.get("schema", {}).get("fields", [])}
    additions: list[dict[str, Any]] = []
    differences: list[str] = []
    for field in wanted["schema"]["fields"]:
        old = have.pop(field["name"].lower(), None)
        if old is None and field["mode"] != "REQUIRED":
            additions.append(field)
        elif old is None:
            differences.append(f"{name}.{field['name']}: is missing, and a REQUIRED column cannot be added")
        elif _kind(old) != _kind(field):
            differences.append(f"{name}.{field['name']}: is {_kind(old)}, expected {_kind(field)}")
    differences.extend(f"{name}.{field['name']}: is {_kind(field)}, expected no such column" for field in have.values())
    differences.extend(
        f"{name}: {aspect} is {_aspect(existing, aspect)}, expected {_aspect(wanted, aspect)}"
        for aspect in ("timePartitioning", "clustering", "tableConstraints")
        if _aspect(existing, aspect) != _aspect(wanted, aspect)
    )
    return additions, differences


def _kind(field: dict[str, Any]) -> str:
    kind = field["type"].upper()
    return f"{_TYPE_NAMES.get(kind, kind)} {field.get('mode', 'NULLABLE').upper()}"


def _aspect(resource: dict[str, Any], aspect: str) -> str:
    value = resource.get(aspect) or {}
    if aspect == "clustering":
        return ", ".join(value.get("fields", [])) or "none"
    if aspect == "tableConstraints":  # upserts need the key; a log with one would be planned as if it held no copies
        return f"key {', '.join(value['primaryKey']['columns'])}" if value.get("primaryKey") else "no key"
    return f"{value.get('type', 'DAY')} of {value.get('field')}" if value else "none"


# --- changes ---------------------------------------------------------------------------------------------------------


def _make(
    client: bigquery.Client, wanted: dict[str, Any], existing: dict[str, Any] | None, additions: list[dict[str, Any]]
) -> None:
    table = bigquery.Table.from_api_repr(wanted)
    if existing is None:
        _create("create table", lambda: client.create_table(table, retry=NO_RETRY, timeout=REQUEST_SECONDS))
    elif "view" in wanted and existing["view"]["query"] != wanted["view"]["query"]:
        retried(
            "update view",
            lambda: client.update_table(table, ["view_query", "description"], retry=NO_RETRY, timeout=REQUEST_SECONDS),
        )
    elif additions:
        changed = bigquery.Table.from_api_repr(existing)
        changed.schema = [*changed.schema, *(bigquery.SchemaField.from_api_repr(field) for field in additions)]
        retried(
            "add columns", lambda: client.update_table(changed, ["schema"], retry=NO_RETRY, timeout=REQUEST_SECONDS)
        )


def _create(what: str, call: Any) -> None:
    """Create, or find that an earlier attempt, or another worker, did."""
    try:
        retried(what, call)
    except exceptions.Conflict:
        return
