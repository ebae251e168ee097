"""The package that Beam ships to its workers holds every module and every file that the modules read."""

import ast
import re
import shutil
import subprocess
import sys
import zipfile
from importlib.metadata import packages_distributions, requires
from pathlib import Path

ROOT = Path(__file__).parent.parent
LAYERS = ("schemas", "transforms", "pipelines", "api")


def test_the_wheel_holds_every_file_of_the_layers(tmp_path: Path) -> None:
    copy = tmp_path / "source"
    for layer in LAYERS:
        shutil.copytree(ROOT / layer, copy / layer, ignore=shutil.ignore_patterns("__pycache__", ".*", "*.so"))
    for name in ("setup.py", "pyproject.toml", "LICENSE"):
        shutil.copy(ROOT / name, copy / name)
    files = {file.relative_to(copy) for layer in LAYERS for file in (copy / layer).rglob("*.*") if file.is_file()}
    expected = {str(file) for file in files if file.suffix != ".c"}  # it is compiled, where there is a compiler

    build = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation", "-w", str(tmp_path)]
    subprocess.run([*build, str(copy)], check=True, capture_output=True)

    (wheel,) = tmp_path.glob("tidemark-*.whl")
    assert expected - set(zipfile.ZipFile(wheel).namelist()) == set()


def canonical(distribution: str) -> str:
    return distribution.lower().replace("_", "-")


def test_what_the_layers_import_is_declared() -> None:
    """A package that is only there because another one needs it may be gone tomorrow."""
    needs = [need for need in requires("tidemark") or [] if not re.search(r"extra == .(dev|benchmarks)", need)]
    declared = {canonical(re.split(r"[\[=<>;~! ]", need)[0]) for need in needs}
    trees = [ast.parse(file.read_text()) for layer in LAYERS for file in (ROOT / layer).rglob("*.py")]
    nodes = [node for tree in trees for node in ast.walk(tree)]
    modules = {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
    modules |= {node.module for node in nodes if isinstance(node, ast.ImportFrom) and node.module}
    tops = {module.split(".")[0] for module in modules} - set(LAYERS) - set(sys.stdlib_module_names) - {"google"}
    distributions = packages_distributions()
    providers = {top: {canonical(name) for name in distributions[top]} for top in tops}
    assert {top for top in tops if not declared & providers[top]} == set()


def imported_at_start(file: Path) -> set[str]:
    """Modules that importing a file imports: what a function imports comes when it is called."""
    found: set[str] = set()
    for node in ast.parse(file.read_text()).body:
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return found


def test_the_main_job_needs_no_extra() -> None:
    """What a worker installs is what a worker needs: nothing that the job imports comes from an extra alone."""
    needs = [need for need in requires("tidemark") or [] if "extra ==" not in need]
    declared = {canonical(re.split(r"[\[=<>;~! ]", need)[0]) for need in needs}
    files = {
        ".".join(file.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): file
        for layer in LAYERS
        for file in (ROOT / layer).rglob("*.py")
    }
    reached, todo = {"pipelines.profiles"}, ["pipelines.profiles", "pipelines.batch_job", "pipelines.stream_job"]
    outside: set[str] = set()
    while todo:
        for module in imported_at_start(files[todo.pop()]):
            if module in files and module not in reached:
                reached.add(module)
                todo.append(module)
            elif module not in files:
                outside.add(module.split(".")[0])
    distributions = packages_distributions()
    tops = outside - set(LAYERS) - set(sys.stdlib_module_names) - {"google", "__future__"}
    assert {top for top in tops if not declared & {canonical(name) for name in distributions[top]}} == set()
