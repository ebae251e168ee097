"""Tables and views before a job: made, extended, or refused with every difference; never touched when told not to."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pytest
from google.cloud import bigquery as service

from pipelines.io.bigquery.load import write_dataset
from pipelines.io.bigquery.service import rest_client
from pipelines.io.check_outputs import check_output
from pipelines.io.outputs import BigQueryOutput
from schemas.bigquery import bigquery_log, bigquery_staging, bigquery_table, view_query
from schemas.errors import OutputError
from schemas.tables import EVENTS, PROFILES, TABLES
from services.service import Running
from tests.integration.bigquery_place import PROJECT, expect, new_output, query
from tests.integration.test_bigquery_load import stage
from tests.io.rows import block

pytest_plugins = ("tests.integration.bigquery_fixtures",)


def fetch(output: BigQueryOutput, name: str) -> service.Table:
    return rest_client(PROJECT).get_table(f"{output.project}.{output.dataset}.{name}", retry=None)


def create(
    output: BigQueryOutput,
    resource: dict[str, Any],
    without: tuple[str, ...] = (),
    columns: dict[str, dict[str, str]] | None = None,
    **aspects: object,
) -> None:
    """A table as an earlier version, or somebody else, might have made it."""
    client = rest_client(PROJECT)
    client.create_dataset(f"{output.project}.{output.dataset}", retry=None)
    fields = [field | (columns or {}).get(field["name"], {}) for field in resource["schema"]["fields"]]
    schema = {"fields": [field for field in fields if field["name"] not in without]}
    client.create_table(service.Table.from_api_repr(resource | aspects | {"schema": schema}), retry=None)


def test_everything_is_made_once(output: BigQueryOutput) -> None:
    check_output(output)
    check_output(dataclasses.replace(output, create_tables=False))
    for table in TABLES:
        log = fetch(output, f"{table.name}_log")
        assert [field.name for field in log.schema][: len(table.columns)] == list(table.column_names())
        assert log.description
        assert log.labels == {"created_by": "tidemark"}
        assert (log.time_partitioning.field if log.time_partitioning else None) == table.partition
        assert tuple(log.clustering_fields or ()) == table.cluster
        view = fetch(output, table.name)
        assert view.table_type == "VIEW"
        assert view.view_query == view_query(table, output.project, output.dataset)
        assert query(f"SELECT * FROM `{output.dataset}.{table.name}`") == []  # noqa: S608 - made here


def test_the_layout_cdc_has_tables_with_keys(bigquery: Running) -> None:
    output = dataclasses.replace(new_output(), layout="cdc")
    check_output(output)
    for table in TABLES:
        made = fetch(output, table.name)
        assert made.table_type == "TABLE"
        assert made.to_api_repr()["tableConstraints"]["primaryKey"]["columns"] == list(table.key)
    with pytest.raises(OutputError, match="profiles: is a table, expected a view"):
        check_output(dataclasses.replace(output, layout="append"))


def test_missing_columns_are_added(bigquery: Running) -> None:
    """In the layout without views: the emulator shows added columns to nobody but who asks for the schema."""
    output = dataclasses.replace(new_output(), layout="cdc")
    create(output, bigquery_table(PROFILES, output.project, output.dataset), without=("city", "segments"))
    check_output(output)
    fields = {field.name: field for field in fetch(output, "profiles").schema}
    assert fields["city"].mode == "NULLABLE"
    assert fields["segments"].mode == "REPEATED"
    check_output(dataclasses.replace(output, create_tables=False))


def test_other_differences_are_refused_and_nothing_is_changed(bigquery: Running) -> None:
    output = new_output()
    log = bigquery_log(PROFILES, output.project, output.dataset)
    columns = {"age": {"type": "STRING"}, "segments": {"mode": "NULLABLE"}}
    create(output, log, without=("traits", "city"), columns=columns, clustering={"fields": ["email"]})
    with pytest.raises(OutputError) as caught:
        check_output(output)
    assert str(caught.value).splitlines()[1:] == [
        "  profiles_log.age: is STRING NULLABLE, expected INTEGER NULLABLE",
        "  profiles_log.traits: is missing, and a REQUIRED column cannot be added",
        "  profiles_log.segments: is STRING NULLABLE, expected STRING REPEATED",
        "  profiles_log: clustering is email, expected profile_id",
    ]
    assert "city" not in [field.name for field in fetch(output, "profiles_log").schema]
    tables = query(f"SELECT table_name FROM {output.dataset}.INFORMATION_SCHEMA.TABLES")  # noqa: S608 - made here
    assert tables == [("profiles_log",)]


def test_without_create_tables_nothing_is_made(bigquery: Running) -> None:
    output = dataclasses.replace(new_output(), create_tables=False)
    with pytest.raises(OutputError, match="there is no dataset"):
        check_output(output)
    create(output, bigquery_log(EVENTS, output.project, output.dataset), without=("received_at",))
    with pytest.raises(OutputError) as caught:
        check_output(output)
    problems = str(caught.value).splitlines()[1:]
    assert "  events_log.received_at: is missing" in problems
    assert "  memberships_log: is missing" in problems
    assert "  memberships: is missing" in problems
    tables = query(f"SELECT table_name FROM {output.dataset}.INFORMATION_SCHEMA.TABLES")  # noqa: S608 - made here
    assert tables == [("events_log",)]


def test_a_bounded_job_without_create_tables_loads_into_tables_that_are_there(
    output: BigQueryOutput, tmp_path: Path
) -> None:
    fixed = dataclasses.replace(output, create_tables=False)
    with pytest.raises(OutputError) as caught:
        check_output(fixed, bounded=True)
    assert str(caught.value).splitlines()[1:] == [f"  {table.name}_staging: is missing" for table in TABLES]
    for table in TABLES:
        resource = bigquery_staging(table, output.project, output.dataset)
        rest_client(PROJECT).create_table(service.Table.from_api_repr(resource), retry=None)
    check_output(fixed, bounded=True)
    names = f"SELECT table_name FROM {output.dataset}.INFORMATION_SCHEMA.TABLES ORDER BY 1"  # noqa: S608 - made here
    before = query(names)
    for rows in ([1, 2], [3]):
        write_dataset(fixed, tmp_path, stage(tmp_path, [block(table, rows) for table in TABLES]))
        expect(output, rows)
    assert query(names) == before


def test_upserts_need_the_key(bigquery: Running) -> None:
    output = dataclasses.replace(new_output(), layout="cdc")
    create(output, bigquery_table(PROFILES, output.project, output.dataset), tableConstraints={})
    with pytest.raises(OutputError, match="profiles: tableConstraints is no key, expected key profile_id"):
        check_output(output)


def test_a_view_of_an_earlier_version_is_brought_up_to_date(output: BigQueryOutput) -> None:
    client = rest_client(PROJECT)
    view = fetch(output, "profiles")
    view.view_query = f"SELECT * FROM `{output.dataset}.profiles_log`"  # noqa: S608 - made here
    client.update_table(view, ["view_query"], retry=None)
    with pytest.raises(OutputError, match="profiles: is another view, expected SELECT"):
        check_output(dataclasses.replace(output, create_tables=False))
    check_output(output)
    assert fetch(output, "profiles").view_query == view_query(PROFILES, output.project, output.dataset)
