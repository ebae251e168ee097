"""Which runner a stream gets, and with which of Beam's arguments."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipelines import stream_runner
from pipelines.stream_runner import OF_CHECKPOINTS, keeps_no_state, with_stream_runner
from schemas.errors import UsageError


def test_prism_is_the_default_and_must_not_split_bundles() -> None:
    arguments = with_stream_runner(["--prism_location=/opt/prism"])
    assert "--runner=PrismRunner" in arguments
    assert "--experiments=prism_disable_sdf_split" in arguments, "split bundles share keys, and lose writes"


def test_experiments_of_the_user_stay() -> None:
    arguments = with_stream_runner(["--runner=PrismRunner", "--prism_location=/opt/prism", "--experiments=mine"])
    assert "--experiments=mine" in arguments
    assert "--experiments=prism_disable_sdf_split" in arguments


def test_other_runners_are_left_as_they_are() -> None:
    asked = ["--runner=FlinkRunner", "--max_cache_memory_usage_mb", "64"]
    assert with_stream_runner(asked) == ["--streaming", "--no_save_main_session", *asked]


def test_flink_with_checkpoints_is_told_what_savepoints_need_unless_somebody_says_otherwise() -> None:
    flink = ["--runner=PortableRunner", "--checkpointing_interval=1000"]
    assert [one for one in with_stream_runner(flink) if one in OF_CHECKPOINTS] == list(OF_CHECKPOINTS)
    said = with_stream_runner([*flink, "--operator_chaining", "--num_concurrent_checkpoints=1"])
    assert said.count("--operator_chaining") == 1
    assert [one for one in said if one.startswith("--num_concurrent")] == ["--num_concurrent_checkpoints=1"]
    assert set(OF_CHECKPOINTS).isdisjoint(with_stream_runner(["--runner=PortableRunner"]))


def test_on_other_machines_state_is_cached() -> None:
    assert "--max_cache_memory_usage_mb=512" in with_stream_runner(["--runner=FlinkRunner"])
    local = with_stream_runner(["--runner=PrismRunner", "--prism_location=/opt/prism"])
    assert not [argument for argument in local if "cache" in argument]


def test_local_runners_forget_everything_when_they_end() -> None:
    assert keeps_no_state([])
    assert keeps_no_state(["--runner=PrismRunner"])
    assert not keeps_no_state(["--runner=FlinkRunner"])


def test_a_program_that_is_called_prism_is_not_taken_for_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    other = tmp_path / "prism"
    other.write_text("#!/bin/sh\n")
    other.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(stream_runner, "BUILT", tmp_path / "built" / "prism")
    with pytest.raises(UsageError, match="`make services` builds it"):
        with_stream_runner([])


def test_only_a_prism_that_is_not_ours_is_warned_of(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    built = tmp_path / "prism"
    built.touch()
    monkeypatch.setattr(stream_runner, "BUILT", built)
    with_stream_runner([])
    with_stream_runner([f"--prism_location={built}"])
    assert capsys.readouterr().err == ""
    with_stream_runner(["--prism_location=/opt/prism"])
    assert "may listen on every network interface" in capsys.readouterr().err
