"""Which runner a stream gets, and with which of Beam's arguments."""

from __future__ import annotations

from pipelines.stream_runner import keeps_no_state, with_stream_runner


def test_prism_is_the_default_and_must_not_split_bundles() -> None:
    arguments = with_stream_runner(["--prism_location=/opt/prism"])
    assert "--runner=PrismRunner" in arguments
    assert "--experiments=prism_disable_sdf_split" in arguments, "split bundles share keys, and lose writes"


def test_experiments_of_the_user_stay() -> None:
    arguments = with_stream_runner(["--runner=PrismRunner", "--prism_location=/opt/prism", "--experiments=mine"])
    assert "--experiments=mine" in arguments
    assert "--experiments=prism_disable_sdf_split" in arguments


def test_other_runners_are_left_as_they_are() -> None:
    assert with_stream_runner(["--runner=FlinkRunner"]) == ["--streaming", "--runner=FlinkRunner"]


def test_local_runners_forget_everything_when_they_end() -> None:
    assert keeps_no_state([])
    assert keeps_no_state(["--runner=PrismRunner"])
    assert not keeps_no_state(["--runner=FlinkRunner"])
