"""The shape of the source tree: which way imports run, what stays free of Beam, how long a module may be."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
LAYERS = ("schemas", "transforms", "pipelines", "api")
FOLDERS = (*LAYERS, "benchmarks", "examples", "services", "tests")
MOST_LINES = 400
VAGUE_NAMES = {"util", "utils", "helper", "helpers", "common", "model", "models", "misc"}
CONNECTORS = (
    *("confluent_kafka", "google.cloud", "google.api_core", "apache_beam.io"),
    *("authlib", "boto3", "botocore", "httpx", "pika", "redis"),
)
FILLED = re.compile(
    r"((typing\.)?(ClassVar|Final)\[)*(collections\.|weakref\.)?"
    r"(dict|list|set|defaultdict|deque|Counter|OrderedDict|Weak\w+)\b"
)
"""Annotations and calls of collections that can change."""

FILES = sorted(file for folder in FOLDERS for file in (ROOT / folder).rglob("*.py"))
LAYER_FILES = [file for file in FILES if file.relative_to(ROOT).parts[0] in LAYERS]


def name_of(file: Path) -> str:
    return str(file.relative_to(ROOT))


def parse(file: Path) -> ast.Module:
    return ast.parse(file.read_text(), filename=str(file))


def imports(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"line {node.lineno}: imports are absolute"
            yield str(node.module)
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def beam_classes(tree: ast.Module) -> Iterator[tuple[str, str]]:
    """Name and base of every class that extends one of Beam's: DoFn, PTransform, Coder ..."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ClassDef):
            for base in node.bases:
                expression = base.value if isinstance(base, ast.Subscript) else base
                yield node.name, ast.unparse(expression).rsplit(".", 1)[-1]


def in_or_under(module: str, packages: tuple[str, ...]) -> bool:
    return any(module == package or module.startswith(package + ".") for package in packages)


@pytest.mark.parametrize("file", LAYER_FILES, ids=name_of)
def test_imports_run_one_way(file: Path) -> None:
    layer = LAYERS.index(file.relative_to(ROOT).parts[0])
    above = (*LAYERS[layer + 1 :], "benchmarks", "examples", "services", "tests")
    wrong = [module for module in imports(parse(file)) if in_or_under(module, above)]
    assert not wrong, f"{LAYERS[layer]} must not know {wrong}"


@pytest.mark.parametrize("file", [f for f in LAYER_FILES if "schemas" in f.parts or "segments" in f.parts], ids=name_of)
def test_schemas_and_the_rule_engine_know_no_beam(file: Path) -> None:
    wrong = [module for module in imports(parse(file)) if in_or_under(module, ("apache_beam",))]
    assert not wrong, "pure logic is bound to Beam elsewhere"


def test_transforms_import_beam_only_where_they_bind_to_it() -> None:
    """A file of `transforms/` that imports Beam binds to it (a PTransform, a DoFn ...); logic stays beside it, pure."""
    wrong = []
    for file in (ROOT / "transforms").rglob("*.py"):
        tree = parse(file)
        bases = {base for _, base in beam_classes(tree)}
        used = [module for module in imports(tree) if not in_or_under(module, ("apache_beam.metrics",))]
        knows_beam = any(in_or_under(module, ("apache_beam",)) for module in used)
        if name_of(file) == "transforms/state/params.py":
            continue  # Beam's markers, which DoFns bind their arguments with
        if knows_beam and not bases & {"DoFn", "ArchivingDoFn", "PTransform", "Coder", "FastCoder", "CombineFn"}:
            wrong.append(name_of(file))
    assert not wrong


@pytest.mark.parametrize("file", LAYER_FILES, ids=name_of)
def test_only_pipelines_io_imports_connectors(file: Path) -> None:
    if file.relative_to(ROOT).parts[:2] == ("pipelines", "io"):
        return
    wrong = [module for module in imports(parse(file)) if in_or_under(module, CONNECTORS)]
    assert not wrong, "connectors belong to pipelines/io"


@pytest.mark.parametrize("file", FILES, ids=name_of)
def test_no_postponed_annotations_beside_a_dofn(file: Path) -> None:
    """They would silently turn the DoFn's type hints into Any."""
    tree = parse(file)
    if "__future__.annotations" in imports(tree):
        assert [name for name, base in beam_classes(tree) if base in {"DoFn", "RestrictionProvider"}] == []


@pytest.mark.parametrize("file", LAYER_FILES, ids=name_of)
def test_ptransforms_are_verbs(file: Path) -> None:
    vague = ("Transform", "Sink", "Reader", "Writer", "DoFn", "Fn")
    wrong = [name for name, base in beam_classes(parse(file)) if base == "PTransform" and name.endswith(vague)]
    assert not wrong, "a PTransform is named after what it does: ValidateEvents, WriteTables"


def collections_to_fill(tree: ast.Module) -> Iterator[str]:
    """Names of the empty collections that a module, or a class of it, begins with."""
    classes = [node for node in ast.walk(tree) if isinstance(node, ast.ClassDef)]
    for owner in (tree, *classes):
        for statement in owner.body:
            if isinstance(statement, ast.Assign):
                target, annotation = statement.targets[0], "dict"
            elif isinstance(statement, ast.AnnAssign):
                target, annotation = statement.target, ast.unparse(statement.annotation)
            else:
                continue
            is_field = owner is not tree and "ClassVar" not in annotation  # what an instance begins with
            if not is_field and FILLED.match(annotation) and is_empty_collection(statement.value):
                yield ast.unparse(target)


def is_empty_collection(value: ast.expr | None) -> bool:
    if isinstance(value, ast.Call):
        made = ast.unparse(value.func)
        return bool(FILLED.match(made)) and (made.endswith("defaultdict") or not (value.args or value.keywords))
    return (isinstance(value, ast.Dict) and not value.keys) or (isinstance(value, ast.List) and not value.elts)


@pytest.mark.parametrize("file", LAYER_FILES, ids=name_of)
def test_what_a_process_keeps_is_in_its_registries(file: Path) -> None:
    assert list(collections_to_fill(parse(file))) == [], "PROCESS.registry() is where it is closed"


def test_collections_to_fill_are_found_and_constant_tables_are_not() -> None:
    found = """
_OPEN: dict[str, int] = {}
_DONE = set()
_BY_NAME: Final[defaultdict[str, list[int]]] = collections.defaultdict(list)
class Pool:
    _idle: ClassVar[list[int]] = []
"""
    passed = """
_NOTHING: Mapping[str, list[int]] = {}
_TABLE: dict[str, int] = {"a": 1}
_COPY = dict(_TABLE)
class Options:
    files: list[str] = []
"""
    assert list(collections_to_fill(ast.parse(found))) == ["_OPEN", "_DONE", "_BY_NAME", "_idle"]
    assert list(collections_to_fill(ast.parse(passed))) == []


def test_modules_are_short() -> None:
    lengths = {name_of(file): len(file.read_text().splitlines()) for file in FILES}
    assert {name: lines for name, lines in lengths.items() if lines > MOST_LINES} == {}


def test_names_say_what_is_inside() -> None:
    names = {part for file in FILES for part in (*file.relative_to(ROOT).parts[:-1], file.stem)}
    assert names & VAGUE_NAMES == set()


def test_packages_of_the_layers_are_installed() -> None:
    """setup.py ships what Beam's workers need: every folder with modules is a package."""
    folders = {file.parent for file in LAYER_FILES}
    assert sorted(name_of(folder) for folder in folders if not (folder / "__init__.py").exists()) == []


def test_no_modules_import_each_other_in_a_circle() -> None:
    """Also not inside functions, nor for types alone: one of two that know each other knows too much."""
    modules = {
        ".".join(file.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): file for file in LAYER_FILES
    }
    left = {
        name: {module for module in imports(parse(file)) if module in modules} - {name}
        for name, file in modules.items()
    }
    # A module that imports nothing of what is left, or that nothing of what is left imports, is in no circle.
    while True:
        imported = set().union(*left.values()) if left else set()
        free = {name for name, found in left.items() if not found & set(left) or name not in imported}
        if not free:
            break
        left = {name: found - free for name, found in left.items() if name not in free}
    assert sorted(left) == []
