"""The definitions of a running job: read again from their folders, by every worker for itself."""

from __future__ import annotations

import logging
import threading
from pathlib import Path
from time import monotonic
from typing import Any

from pipelines.options.profiles import ProfilesOptions
from schemas.errors import DefinitionErrors
from transforms.profiles.evaluate import Rules
from transforms.segments.language import ast
from transforms.segments.language.definitions import load_definitions

_LOG = logging.getLogger(__name__)


class WatchedRules:
    """Rules that are read again when they are asked for and the last reading is older than `refresh_seconds`.

    Files that are wrong change nothing: the former rules stand, and the log says what is wrong. So does a folder that
    is gone or empty: somebody is exchanging it, or this worker's image has none (then the log says it once).

    Args:
        definitions: the rules to begin with.
        segments: the folder of segments; "" for rules that never change.
        traits: the folder of computed traits, or "".
        refresh_seconds: how old a reading may be.
    """

    def __init__(self, definitions: ast.Definitions, segments: str, traits: str, refresh_seconds: float) -> None:
        self._definitions = definitions
        self._segments = segments
        self._traits = traits
        self._refresh_seconds = refresh_seconds
        self._rules: Rules | None = None
        self._read_at: float | None = None
        self._said = ""
        self._lock = threading.Lock()

    @classmethod
    def of(cls, options: ProfilesOptions) -> WatchedRules:
        """Those of a job; read twice per tick of `--refresh`, so that a tick finds what changed before the last one."""
        stream = options.stream
        return cls(options.definitions, stream.segments, stream.traits, stream.refresh_us / 2 / 1_000_000)

    def __reduce__(self) -> Any:
        return WatchedRules, (self._definitions, self._segments, self._traits, self._refresh_seconds)

    def current(self) -> Rules:
        """The rules of the moment; the same object until they change."""
        with self._lock:
            if self._rules is None:
                self._rules = Rules(self._definitions)
            if self._segments and self._is_old():
                self._read_again()
                self._read_at = monotonic()
            return self._rules

    def _is_old(self) -> bool:
        return self._read_at is None or monotonic() - self._read_at >= self._refresh_seconds

    def _read_again(self) -> None:
        try:
            definitions = load_definitions(self._segments, self._traits or None).definitions
        except (DefinitionErrors, OSError) as error:
            self._say(str(error))
            return
        if self._definitions.segments and not definitions.segments:
            self._say(f"{Path(self._segments)} holds no segment")
            return
        self._said = ""
        if definitions != self._definitions:
            self._definitions = definitions
            self._rules = Rules(definitions)

    def _say(self, problem: str) -> None:
        if problem != self._said:
            _LOG.warning("the rules stay as they are: %s", problem)
            self._said = problem
