"""The job as Dataflow gets it: constructed with Beam's DataflowRunner, offline, and its description read."""

import re
from pathlib import Path
from typing import Any

import pytest

from pipelines.batch import build_batch
from pipelines.io.locations import FileInput, PubSubInput, parse_inputs
from pipelines.io.tables.staging_place import new_staging_place
from pipelines.runners import with_default_runner
from pipelines.stream_job import build_live
from pipelines.stream_runner import with_stream_runner
from tests.jobs.dataflow import IMAGE, Constructed, construct, options_of

ROOT = Path(__file__).parents[2]
STREAM = "pubsub:projects/shop-prod/subscriptions/events"
STAGES = "FollowMessages/MaintainTables"
OF_BEAM = {
    *("<lambda at core.py:4094>", "decode"),  # Create
    *("restore_metadata_default_window", "reify_metadata_default_window"),  # Reshuffle
    *("collect_values", "_from_proto_str"),  # CoGroupByKey, ReadFromPubSub
}
SIDE_INPUTS = {
    *("DeduplicateEvents/Compare", "DeduplicateEvents/ExtractCopies"),  # suspects, and what is retracted
    *(
        "ResolveIdentity/MakePlan",
        "ResolveIdentity/RefuseAliases",
        "ResolveIdentity/ResolveDevices",
    ),  # aliases, the plan
    *("BuildProfiles/Build", "BuildMerged/Build", "BuildAccounts/Build"),  # as_of, the plan
    *("EraseFailed1/Erase", "EraseFailed2/Erase", "EraseFailed3/Erase", "EraseFailed4/Erase"),  # who is erased
    *("WriteReceipts/Receipts", "WriteRetractions/Tell"),  # as_of
}
"""Of the batch, in BuildTables."""
MOST_BYTES = 1_000_000
MOST_OF_A_STEP = 64_000
"""Dataflow takes 10 MB and 1 MB; a definition or a plan that travels with each step would come near that."""


@pytest.fixture(scope="module")
def stream(tmp_path_factory: pytest.TempPathFactory) -> Constructed:
    folder = tmp_path_factory.mktemp("stream")
    options = options_of(folder, (PubSubInput(STREAM, "shop-prod", "events"),), "--enable_streaming_engine")
    arguments = with_stream_runner(options.beam_arguments)
    return construct(folder, arguments, lambda pipeline: build_live(pipeline, options, arguments))


@pytest.fixture(scope="module")
def batch(tmp_path_factory: pytest.TempPathFactory) -> Constructed:
    folder = tmp_path_factory.mktemp("batch")
    files = tuple(one for one in parse_inputs([str(ROOT / "examples" / "events" / "*")]) if isinstance(one, FileInput))
    options = options_of(folder, files)
    place = new_staging_place(options.output, "gs://work/tmp")
    return construct(folder, with_default_runner(options), lambda pipeline: build_batch(pipeline, options, place))


@pytest.fixture(params=["stream", "batch"])
def job(request: pytest.FixtureRequest) -> Constructed:
    found: Constructed = request.getfixturevalue(request.param)
    return found


def pool(job: Constructed) -> dict[str, Any]:
    [found] = job.description["environment"]["workerPools"]
    return dict(found)


def test_the_job_is_what_was_asked_for(stream: Constructed, batch: Constructed) -> None:
    assert stream.description["type"] == "JOB_TYPE_STREAMING"
    assert batch.description["type"] == "JOB_TYPE_BATCH"
    for job in (stream, batch):
        assert job.description["name"] == "tidemark-live"
        assert job.description["labels"] == {"team": "crm"}
        assert job.description["environment"]["serviceAccountEmail"] == "job@shop-prod.iam.gserviceaccount.com"
        assert job.description["environment"]["tempStoragePrefix"].startswith("storage.googleapis.com/work/tmp/")


def test_workers_are_of_our_image_and_as_many_as_may_be(job: Constructed) -> None:
    found = pool(job)
    assert found["workerHarnessContainerImage"] == IMAGE
    assert [one["containerImage"] for one in found["sdkHarnessContainerImages"]] == [IMAGE]
    assert found["autoscalingSettings"]["maxNumWorkers"] == 8
    assert found["numThreadsPerWorker"] == 8


def test_a_stream_keeps_its_state_in_the_streaming_engine(stream: Constructed, batch: Constructed) -> None:
    features = {"enable_streaming_engine", "enable_windmill_service"}
    assert features <= set(stream.description["environment"]["experiments"])
    assert not features & set(batch.description["environment"]["experiments"])
    for job in (stream, batch):
        assert "use_unified_worker" in job.description["environment"]["experiments"], "runner v2"


def test_state_is_cached_in_the_workers_of_a_stream(stream: Constructed) -> None:
    assert stream.description["environment"]["sdkPipelineOptions"]["options"]["max_cache_memory_usage_mb"] == 512


def test_nothing_is_staged_but_the_graph(job: Constructed) -> None:
    """No pickled main session, no package of this machine: the image holds what workers need, by a lock file."""
    assert job.staged == {}
    assert "packages" not in pool(job)
    assert job.description["environment"]["sdkPipelineOptions"]["options"]["save_main_session"] is False


def test_the_graph_is_small(job: Constructed) -> None:
    assert job.graph.ByteSize() < MOST_BYTES
    sizes = {name: len(step.spec.payload) for name, step in job.steps().items()}
    assert {name: size for name, size in sizes.items() if size > MOST_OF_A_STEP} == {}


def test_each_step_has_a_name_of_its_own_that_can_be_read(job: Constructed) -> None:
    """Names are what the console shows, and by which an update finds the state: none is made up by Beam of our code."""
    names = [transform.unique_name for transform in job.graph.components.transforms.values()]
    assert len(names) == len(set(names))
    for name in job.steps():
        found = re.fullmatch(r"(.*/)?(\w+)\((.*)\)", name)
        if found:
            inside_a_step_of_ours = found[2] == "ParDo" and found[1]
            assert inside_a_step_of_ours or found[3] in OF_BEAM, name


def test_a_stream_reads_with_the_services_own_reader(stream: Constructed) -> None:
    reads = {
        name: step.spec for name, step in stream.steps().items() if "ReadStream" in name or "pubsub" in step.spec.urn
    }
    assert [spec.urn for spec in reads.values()] == ["beam:transform:pubsub_read:v1"]
    assert STREAM.removeprefix("pubsub:").encode() in next(iter(reads.values())).payload


def test_states_and_timers_are_those_of_the_page(stream: Constructed) -> None:
    """docs/operations.md promises them to whoever updates a job that runs."""
    page = (ROOT / "docs" / "operations.md").read_text()
    told: dict[str, tuple[set[str], set[str]]] = {}
    for labels, states, timers in re.findall(r"^\| (`[A-Z]\w+`[^|]*) \| ([^|]*) \|([^|]*)\|$", page, re.MULTILINE):
        row = set(re.findall(r"`(\w+)`", states)), set(re.findall(r"`(\w+)`", timers))
        told.update(dict.fromkeys(re.findall(r"`(\w+)`", labels), row))
    found = {
        name.removeprefix(f"{STAGES}/"): (
            set(payload.state_specs),
            {timer.partition("-")[2] for timer in payload.timer_family_specs},
        )
        for name, payload in stream.pardos().items()
        if payload.state_specs or payload.timer_family_specs
    }
    assert found == told


def test_side_inputs_are_where_they_are_known_to_be(stream: Constructed, batch: Constructed) -> None:
    """What a side input holds goes to every worker: none in the stream; in the batch plans, suspects and instants."""
    assert not [name for name, payload in stream.pardos().items() if payload.side_inputs]
    found = {name for name, payload in batch.pardos().items() if payload.side_inputs}
    assert {name.removeprefix("BuildTables/") for name in found} == SIDE_INPUTS


def test_steps_are_of_kinds_that_dataflow_knows(job: Constructed) -> None:
    kinds = {step.spec.urn.split(":")[2] for step in job.steps().values()}
    assert kinds - {"pubsub_read", "impulse", "flatten", "pardo", "group_by_key", "pickled_python"} == set()
    pickled = {name for name, step in job.steps().items() if "pickled_python" in step.spec.urn}
    assert all(name.endswith("/MaybeReshuffle") for name in pickled), "Create's own, which does nothing"


def test_every_environment_is_ours(job: Constructed) -> None:
    """No step of another language: no Java is started, and no image that we have not made."""
    images = {environment.urn for environment in job.graph.components.environments.values()}
    assert images == {"beam:env:docker:v1"}
    for environment in job.graph.components.environments.values():
        assert IMAGE.encode() in environment.payload
        assert not environment.dependencies
