"""The definitions of a running job: read again from their folders, by every worker for itself."""

from __future__ import annotations

import logging
import threading
import time
from typing import Any

from pipelines.options.profiles import ProfilesOptions
from transforms.profiles.evaluate import Rules
from transforms.segments.compiler import compile_program
from transforms.segments.language import ast
from transforms.segments.language.definitions import load_definitions
from transforms.segments.language.errors import DefinitionErrors

_LOG = logging.getLogger(__name__)


class WatchedRules:
    """Rules that are read again when they are asked for and the last reading is older than `refresh_seconds`.

    Files that are wrong change nothing: the former rules stand, and the log says what is wrong.

    Args:
        definitions: the rules to begin with.
        segments: the folder of segments; "" for rules that never change.
        traits: the folder of computed traits, or "".
        refresh_seconds: how old a reading may be.
    """

    def __init__(self, definitions: ast.Definitions, segments: str, traits: str, refresh_seconds: float) -> None:
        self._settings = (definitions, segments, traits, refresh_seconds)
        self._rules: Rules | None = None
        self._definitions = definitions
        self._read_at = 0.0
        self._lock = threading.Lock()

    @classmethod
    def of(cls, options: ProfilesOptions) -> WatchedRules:
        stream = options.stream
        return cls(options.definitions, stream.segments, stream.traits, stream.refresh_us / 2 / 1_000_000)

    def __reduce__(self) -> Any:
        return WatchedRules, self._settings

    def current(self) -> Rules:
        """The rules of the moment; the same object until they change."""
        with self._lock:
            _, segments, _, refresh_seconds = self._settings
            if self._rules is None:
                self._rules = Rules(compile_program(self._definitions))
            if segments and time.monotonic() - self._read_at >= refresh_seconds:
                self._read_again()
                self._read_at = time.monotonic()
            return self._rules

    def _read_again(self) -> None:
        _, segments, traits, _ = self._settings
        try:
            definitions = load_definitions(segments, traits or None).definitions
        except (DefinitionErrors, OSError) as error:
            _LOG.warning("the rules stay as they are: %s", error)
            return
        if definitions != self._definitions:
            self._definitions = definitions
            self._rules = Rules(compile_program(definitions))
