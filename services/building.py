"""Builds artifacts once: Go programs, and folders of jars by Maven. A stamp beside each says what it was built from."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import stat
import subprocess
import tempfile
from pathlib import Path

from services.service import Artifact, ServiceError

SOURCES = Path(__file__).parent

APT_PACKAGES = {
    "go": "golang-go",
    "mvn": "maven",
    "java": "openjdk-17-jre-headless",
    "chromium": "chromium",
    "patch": "patch",
    "redis-server": "redis-server",
    "rabbitmq-server": "rabbitmq-server",
    "epmd": "erlang-base",
    "node": "nodejs",
    "npm": "npm",
    "unshare": "util-linux",
    "ip": "iproute2",
    "gcc": "gcc",
}
"""The Debian package of each tool that a build, a start or an integration test may miss."""


def build_artifact(artifact: Artifact, root: Path) -> Path:
    """Builds the artifact unless it is there already, from the same pins; returns its absolute path."""
    target = root / artifact.path
    stamp = root / "stamps" / artifact.path.replace("/", "-")
    fingerprint = hashlib.sha256("\0".join(artifact.pins()).encode()).hexdigest()
    if target.exists() and stamp.exists() and stamp.read_text() == fingerprint:
        return target
    target.parent.mkdir(parents=True, exist_ok=True)
    stamp.parent.mkdir(parents=True, exist_ok=True)
    stamp.unlink(missing_ok=True)
    print(f"building {artifact.path} (kept in {root.name}/, once per version)", flush=True)
    artifact.build(target)
    stamp.write_text(fingerprint)
    return target


def go_module(folder: str, package: str, path: str) -> Artifact:
    """A program of the Go module in `services/go/FOLDER`, whose go.mod and go.sum pin everything in it."""
    module = SOURCES / "go" / folder

    def pins() -> tuple[str, ...]:
        return tuple(file.read_text() for file in sorted(module.iterdir()))

    def build(target: Path) -> None:
        run_tool(["go", "build", "-mod=readonly", "-o", str(target), package], cwd=module)

    return Artifact(path, pins, build)


def go_program(package: str, version: str, path: str) -> Artifact:
    """A Go program that its own module pins: `go install PACKAGE@VERSION`."""

    def build(target: Path) -> None:
        run_tool(["go", "install", f"{package}@{version}"], env={"GOBIN": str(target.parent)})

    return Artifact(path, lambda: (package, version), build)


def patched_go_program(module: str, version: str, package: str, patch: str, path: str) -> Artifact:
    """A Go program of a published module, with the changes of `services/go/PATCH` to its sources."""
    changes = SOURCES / "go" / patch

    def build(target: Path) -> None:
        described = run_tool(["go", "mod", "download", "-json", f"{module}@{version}"], shown=False)
        with tempfile.TemporaryDirectory() as folder:
            sources = Path(folder) / "sources"
            shutil.copytree(json.loads(described)["Dir"], sources)
            for entry in (sources, *sources.rglob("*")):
                entry.chmod(entry.stat().st_mode | stat.S_IWUSR)  # Go's own copy is read-only
            run_tool(["patch", "--quiet", "--strip=1", f"--input={changes}"], cwd=sources)
            run_tool(["go", "build", "-mod=readonly", "-o", str(target.absolute()), package], cwd=sources)

    return Artifact(path, lambda: (module, version, package, changes.read_text()), build)


def maven_jars(folder: str, path: str) -> Artifact:
    """The jars of `services/java/FOLDER/pom.xml` with all that they depend on, in one folder."""
    pom = SOURCES / "java" / folder / "pom.xml"

    def build(target: Path) -> None:
        shutil.rmtree(target, ignore_errors=True)
        goal = ["dependency:copy-dependencies", "-DincludeScope=runtime", f"-DoutputDirectory={target}"]
        run_tool(["mvn", "-q", "-B", "-Dstyle.color=never", "-f", str(pom), *goal])

    return Artifact(path, lambda: (pom.read_text(),), build)


def debian_program(name: str, path: str) -> Artifact:
    """A server of a Debian package, linked where the others are."""

    def build(target: Path) -> None:
        target.unlink(missing_ok=True)
        target.symlink_to(find_tool(name))

    return Artifact(path, lambda: (name,), build)


def python_module(name: str) -> Artifact:
    """A server of this repository, run by the Python that runs this: there is nothing to build."""

    def build(target: Path) -> None:
        target.write_text("")

    return Artifact(f"stamps/python-{name}", lambda: (name,), build)


def find_tool(name: str) -> str:
    """The tool's path; installs its Debian package when it is missing and this is root on a Debian.

    Raises:
        ServiceError: It is missing and cannot be installed here.
    """
    found = shutil.which(name)
    if found is None and os.geteuid() == 0 and shutil.which("apt-get") is not None:
        package = APT_PACKAGES[name]
        print(f"installing {package} for `{name}`", flush=True)
        quiet = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
        subprocess.run(["apt-get", "update", "-q"], check=True, env=quiet)  # noqa: S607 - apt-get is where PATH says
        subprocess.run(["apt-get", "install", "-q", "-y", "--no-install-recommends", package], check=True, env=quiet)  # noqa: S607
        found = shutil.which(name)
    if found is None:
        raise ServiceError(f"`{name}` is needed and not on PATH. On Debian: apt-get install {APT_PACKAGES[name]}.")
    return found


def run_tool(
    command: list[str], cwd: Path | None = None, env: dict[str, str] | None = None, *, shown: bool = True
) -> str:
    """Runs a build tool, its output shown, or returned.

    Raises:
        ServiceError: The tool is missing or fails.
    """
    tool = find_tool(command[0])
    output = None if shown else subprocess.PIPE
    done = subprocess.run(
        [tool, *command[1:]], cwd=cwd, env={**os.environ, **(env or {})}, check=False, stdout=output, text=True
    )
    if done.returncode != 0:
        raise ServiceError(f"`{' '.join(command)}` failed with status {done.returncode}; its output is above.")
    return done.stdout or ""
