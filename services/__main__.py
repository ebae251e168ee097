"""The command line: `python -m services build|up|down|status|isolated`. Exit status 0 done, 1 a service failed."""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

from services.forwarding import run_in_place
from services.isolation import is_isolated, isolated
from services.manager import ROOT, Manager
from services.registry import SERVICES
from services.service import ServiceError


def main(arguments: list[str] | None = None) -> int:
    options = _parse(arguments)
    try:
        return int(options.run(options))
    except ServiceError as error:
        print(f"services: {error}", file=sys.stderr)
        return 1


def _parse(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m services", description="Real servers for the integration tests.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    known = ", ".join(SERVICES)

    build = commands.add_parser("build", help="build what is not built yet")
    build.add_argument("names", nargs="*", help=f"{known}; default: all")
    build.set_defaults(run=_build)

    up = commands.add_parser("up", help="start what is not up yet; endpoints go to .services/env.json")
    up.add_argument("names", nargs="*", help=f"{known}; default: all that listen on 127.0.0.1 only")
    up.add_argument(
        "--port", action="append", default=[], metavar="SERVICE.NAME=PORT", help="not a free port, but this"
    )
    up.set_defaults(run=_up)

    down = commands.add_parser("down", help="stop: SIGTERM, then SIGKILL, by pid")
    down.add_argument("names", nargs="*", help=f"{known}; default: all")
    down.set_defaults(run=_down)

    status = commands.add_parser("status", help="what is up, where, and its log")
    status.set_defaults(run=_status)

    inside = commands.add_parser("isolated", help="run a command in a network that has only loopback")
    inside.add_argument("--up", action="append", default=[], metavar="SERVICE", help="a service to start in it")
    inside.add_argument("inner", nargs="+", metavar="COMMAND", help="after `--`")
    inside.set_defaults(run=_isolated)
    return parser.parse_args(arguments)


def _build(options: argparse.Namespace) -> int:
    for name in options.names or SERVICES:
        print(f"{name:10} {Manager().build(name)}", flush=True)
    return 0


def _up(options: argparse.Namespace) -> int:
    wanted: dict[str, dict[str, int]] = {}
    for option in options.port:
        address, _, port = option.partition("=")
        service, _, name = address.partition(".")
        if not port.isdigit() or name not in (SERVICES[service].ports if service in SERVICES else ()):
            raise ServiceError(f"--port {option}: expected SERVICE.NAME=PORT, such as kafka.broker=9092")
        wanted.setdefault(service, {})[name] = int(port)
    manager = Manager()
    for name in options.names or SERVICES:
        service = SERVICES.get(name)
        if not options.names and service is not None and service.every_interface:
            manager.build(name)
            print(f"{name:10} built; runs by `python -m services isolated`", flush=True)
            continue
        running = manager.up(name, wanted.get(name))
        addresses = " ".join(f"{port}={address}" for port, address in running.endpoints.items())
        print(f"{name:10} up    {addresses} (pid {running.pid}, log {running.log})", flush=True)
    print(f"endpoints: {manager.state / 'env.json'}")
    return 0


def _down(options: argparse.Namespace) -> int:
    manager = Manager()
    for name in options.names or reversed(SERVICES):
        print(f"{name:10} {'stopped' if manager.down(name) else 'was not up'}", flush=True)
    return 0


def _status(_options: argparse.Namespace) -> int:
    manager = Manager()
    for name, service in SERVICES.items():
        running = manager.find(name)
        if running is not None:
            print(f"{name:10} up    {' '.join(running.endpoints.values())} (pid {running.pid}, log {running.log})")
        else:
            built = (ROOT / service.artifact.path).exists()
            print(f"{name:10} {'built' if built else 'absent'}  {service.summary}")
    return 0


def _isolated(options: argparse.Namespace) -> int:
    if not is_isolated():
        for name in options.up:
            Manager().build(name)  # inside there is no network to build with
        again = [sys.executable, "-m", "services", "isolated"]
        for name in options.up:
            again += ["--up", name]
        return run_in_place(isolated([*again, "--", *options.inner]), through_unshare=True)
    with tempfile.TemporaryDirectory(prefix="tidemark-") as folder:
        manager = Manager(state=Path(folder))
        try:
            for name in options.up:
                running = manager.up(name)
                print(f"{name} up: {running.environment}", flush=True)
            return run_in_place(options.inner)
        finally:
            for name in reversed(SERVICES):
                manager.down(name)


if __name__ == "__main__":
    sys.exit(main())
