"""Whatever a file of definitions is, holds or names: an error with a place, all of them at once, and nothing else."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from pipelines import profiles
from schemas.errors import DefinitionErrors
from tests.segments.language.definition_folders import headlines, load, write

pytestmark = pytest.mark.usefixtures("folders")

HOSTILE_YAML = {
    'description: "\\UFFFFFFFF"\nwhen: x\n': "1:15: there is no character of this number",
    'members: ["\\uD800"]\n': "1:11: this text has half a character (a surrogate)",
    'members_file: "a\\0b.csv"\n': "1:15: the members file segments/a?b.csv: cannot be read: there can be no such name",
    "members_file: /etc/passwd\n": "1:15: the members file /etc/passwd is not in the folder of this file",
    "members_file: ../outside.csv\n": "1:15: the members file ../outside.csv is not in the folder of this file",
    "members_file: link.csv\n": "1:15: the members file link.csv is not in the folder of this file",
    "members_file: pipe\n": "1:15: the members file segments/pipe: this is no regular file",
    "members_file: /dev/zero\n": "1:15: the members file /dev/zero is not in the folder of this file",
    "members_file: .\n": "1:15: the members file segments: this is no regular file",
    "when: event('A').count() &gt;= 1\n": "1:26: &gt; is how HTML writes it",
}

HOSTILE_CSV = {
    b'user_id\nu_1\n"u_2\n': "3:1: no CSV: unexpected end of data",
    b"user_id\n" + b"x" * 200_000 + b"\n": "2:1: no CSV: field larger than field limit (131072)",
    b"email,name\na,b\n": "1:1: none of the columns is called user_id: email, name",
    b"ann@example.com;7\n": "1:1: none of the columns is called user_id: (a value), (a value)",
    b"user_id;name\n;Ann\n": "2:1: no user id in this line",
}


@pytest.mark.parametrize("text", HOSTILE_YAML)
def test_a_hostile_definition_is_an_error_with_a_place(text: str) -> None:
    Path("outside.csv").write_text("user_id\nu_1\n")
    os.mkfifo("segments/pipe")
    Path("segments/link.csv").symlink_to(Path("outside.csv").absolute())
    assert headlines(text) == [f"segments/s.yaml:{HOSTILE_YAML[text]}"]


@pytest.mark.parametrize("raw", HOSTILE_CSV)
def test_a_hostile_members_file_is_an_error_with_a_line(raw: bytes) -> None:
    Path("segments/m.csv").write_bytes(raw)
    assert headlines("members_file: m.csv") == [f"segments/m.csv:{HOSTILE_CSV[raw]}"]


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        ("when: true\n".encode("utf-16"), "1:1: this is UTF-16, as PowerShell's `>` writes it"),
        (b"when: >\n  event('\xe9')\n", "2:10: not UTF-8: invalid continuation byte at byte 17"),
    ],
)
def test_bytes_that_are_no_utf8_have_a_place(raw: bytes, message: str) -> None:
    Path("segments/s.yaml").write_bytes(raw)
    with pytest.raises(DefinitionErrors) as caught:
        load()
    assert [problem.headline() for problem in caught.value.problems] == [f"segments/s.yaml:{message}"]


def test_a_pipe_among_the_files_is_an_error() -> None:
    os.mkfifo("segments/s.yaml")
    with pytest.raises(DefinitionErrors, match=r"s\.yaml:1:1: this is no regular file"):
        load()


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("\x1b[2J", "the file's name has characters that cannot be seen"),
        ("a\nb", "the file's name has characters that cannot be seen"),
        ("..", "a name cannot begin with a dot or have two in a row"),
        (".hidden", "a name cannot begin with a dot or have two in a row"),
        (" a", "a name cannot begin or end with a space"),
    ],
)
def test_a_name_that_is_none_is_refused(name: str, message: str) -> None:
    write(f"segments/{name}.yaml", "members: [u_1]")
    with pytest.raises(DefinitionErrors) as caught:
        load()
    assert message in str(caught.value)
    assert "\x1b" not in str(caught.value)


def test_names_that_differ_by_case_only_are_refused() -> None:
    write("segments/VIP.yaml", "members: [u_1]")
    write("segments/vip.yaml", "members: [u_1]")
    with pytest.raises(DefinitionErrors, match="which differs only in upper and lower case"):
        load()


def test_all_errors_of_all_files_are_told_at_once_and_nothing_is_written(capsys: pytest.CaptureFixture[str]) -> None:
    for number, text in enumerate(HOSTILE_YAML):
        write(f"segments/s{number}.yaml", text)
    os.mkfifo("segments/pipe")
    Path("events.ndjson").write_text(json.dumps({"messageId": "a"}) + "\n")
    command = ["--input", "events.ndjson", "--segments", "segments", "--output", "duckdb:out/o.duckdb"]
    assert profiles.main(command) == 2
    err = capsys.readouterr().err
    assert all(f"segments/s{number}.yaml:1:" in err for number in range(len(HOSTILE_YAML)))
    assert "Traceback" not in err
    assert not Path("out").exists()
