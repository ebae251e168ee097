"""Local patterns mean what they mean to Beam, which reads those of other file systems."""

from __future__ import annotations

import re
import warnings
from pathlib import Path

import pytest
from apache_beam.io.filesystem import BeamIOError
from apache_beam.io.localfilesystem import LocalFileSystem
from apache_beam.options.pipeline_options import PipelineOptions
from hypothesis import example, given
from hypothesis import strategies as st

from pipelines.io.files.local_pattern import local_matches

NAMES = (
    "a.json",
    "b.json",
    "a1.avro",
    "sub/a.json",
    "sub/deep/b.json",
    "sub/[x].json",
    "other/^.json",
    "other/-]",
    "!",
)


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("shop")
    for name in NAMES:
        (folder / name).parent.mkdir(exist_ok=True, parents=True)
        (folder / name).write_text(name)
    (folder / "link.json").symlink_to("a.json")
    (folder / "broken.json").symlink_to("nothing")
    (folder / "linked").symlink_to("sub", target_is_directory=True)
    return folder


@example(pattern="[*--[ab]")
@example(pattern="[---]")
@example(pattern="[*---b]")
@given(
    pattern=st.lists(
        st.sampled_from(
            (
                "*",
                "**",
                "?",
                "[ab]",
                "[!a]",
                "[^a]",
                "[[]",
                "[]x]",
                "[",
                "]",
                "/",
                "a",
                "sub",
                "other",
                ".json",
                "-",
                "!",
            )
        ),
        max_size=6,
    ).map("".join)
)
def test_they_match_what_beam_matches(shop: Path, pattern: str) -> None:
    asked = f"{shop}/{pattern}"
    assert listed(asked) == listed_by_beam(asked)


def listed(pattern: str) -> dict[str, int] | str:
    """Sizes by path, or "refused"."""
    try:
        return {path: size for path, size, _ in local_matches(pattern)}
    except re.error:
        return "refused"


def listed_by_beam(pattern: str) -> dict[str, int] | str:
    """The same, by Beam."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # Beam leaves `[[]` to the regular expression as it is
        try:
            (found,) = LocalFileSystem(PipelineOptions([])).match([pattern])
        except BeamIOError:
            return "refused"
    return {metadata.path: metadata.size_in_bytes for metadata in found.metadata_list}


def test_a_pattern_without_a_folder_is_of_the_working_folder(shop: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(shop)
    assert sorted(path for path, _, _ in local_matches("*.json")) == ["a.json", "b.json", "link.json"]
    assert sorted(path for path, _, _ in local_matches("**/b.json")) == ["sub/deep/b.json"]
