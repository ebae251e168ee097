"""keys.yaml: hashes, permissions, and each mistake at its place."""

from __future__ import annotations

from pathlib import Path

import pytest

from api import keys
from api.__main__ import main
from api.keys import key_of_header, load_keys
from schemas.errors import DefinitionErrors
from tests.api.served import SHOP, ask, options

HASH = "sha256:" + "0" * 64


def test_a_made_key_opens_what_it_may(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "keys.yaml"
    assert keys.main(["--file", str(path), "--name", "shop", "--may", "collect,read"]) == 0
    made = capsys.readouterr().out.strip()
    assert keys.main(["--file", str(path), "--name", "crm: main", "--may", "update", "--key", "given"]) == 0
    loaded = load_keys(path)
    found, given = loaded.find(made), loaded.find("given")
    assert found is not None
    assert given is not None
    assert (found.name, found.may) == ("shop", {"collect", "read"})
    assert (given.name, given.may) == ("crm: main", {"update"})
    assert made not in path.read_text()
    assert loaded.find("") is None


def test_a_name_is_not_given_twice(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "keys.yaml"
    assert keys.main(["--file", str(path), "--name", "shop", "--may", "collect"]) == 0
    before = path.read_text()
    assert keys.main(["--file", str(path), "--name", "shop", "--may", "read"]) == 2
    assert "the name 'shop' is given twice" in capsys.readouterr().err
    assert path.read_text() == before


@pytest.mark.parametrize(
    ("text", "place", "message"),
    [
        ("keyz: []", "1:1", "did you mean 'keys'?"),
        ("keys: {}", "1:7", "this is no list of keys"),
        (f"keys:\n  - {{name: a, hash: {HASH}, may: [colect]}}", "2:100", "did you mean 'collect'?"),
        (f"keys:\n  - {{name: a, hash: {HASH}}}", "2:5", "the key has no may"),
        ("keys:\n  - {name: a, hash: secret-itself, may: [read]}", "2:21", "this is no hash of a key"),
        (f"keys:\n  - {{name: a, hash: {HASH}, may: [read], origins: ['shop']}}", "2:117", "this is no origin"),
        (f"keys:\n  - {{name: a, hash: {HASH}, may: [read], rate: 0}}", "2:113", "a whole number"),
    ],
)
def test_mistakes_have_a_place(tmp_path: Path, text: str, place: str, message: str) -> None:
    path = tmp_path / "keys.yaml"
    path.write_text(text)
    with pytest.raises(DefinitionErrors) as caught:
        load_keys(path)
    said = str(caught.value)
    assert f"keys.yaml:{place}: " in said
    assert message in said
    assert "secret-itself" not in said, "what was put there may be the key"


@pytest.mark.parametrize("value", ["", "Basic", "Basic !!!", "Basic /w==", "Digest x", "Bearer"])
def test_what_is_no_authorization_holds_no_key(value: str) -> None:
    assert key_of_header(value) == ""


def test_a_key_of_one_page_is_no_use_to_another(tmp_path: Path) -> None:
    path = tmp_path / "keys.yaml"
    keys.main(["--file", str(path), "--name", "shop", "--may", "collect", "--key", "k"])
    path.write_text(path.read_text() + f"    origins: [{SHOP}]\n")
    given = options(tmp_path / "spool", keys=load_keys(path))
    body = {"writeKey": "k", "userId": "u"}
    for origin, status in ((SHOP, 200), ("https://other.example", 403)):
        response = ask(given, "POST", "/v1/page", json=body, headers={"Origin": origin})
        assert response.status_code == status
        assert ("Access-Control-Allow-Origin" in response.headers) == (status == 200)


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["--events", "spol:x", "--keys", "nothing.yaml"], ["spool:DIR", "nothing.yaml:1:1: cannot be read"]),
        (["--events", "spool:x", "--keys", "nothing.yaml", "--listen", "8080"], ["--listen 8080: expected HOST:PORT"]),
        (["--events", "spool:x", "--keys", "nothing.yaml", "--workers", "0"], ["--workers 0"]),
        (["--events", "kafka:nowhere", "--keys", "nothing.yaml"], ["--events kafka:nowhere", "kafka:HOST:PORT"]),
    ],
)
def test_wrong_arguments_end_it_before_it_starts(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    expected: list[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(arguments) == 2
    said = capsys.readouterr().err
    for text in expected:
        assert text in said
