"""Beam 2.77 asks the same of the same classes again and again, which is half of a small job's time: here it remembers.

Three things, each the same for as long as a process runs:

- The arguments of a DoFn's methods, and which of them are state and timers. They are inspected for each DoFn when a
  graph is built, when it is translated and when a worker takes it up; by Beam's bundle-based runner at every bundle.
- What a DoFn without type hints makes of a type. Beam reads its bytecode.
- What the command line says to a class of options. Beam builds a parser for each transform that is applied.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from functools import cache
from typing import Any

from apache_beam.options.pipeline_options import PipelineOptions
from apache_beam.transforms import core, userstate


@cache
def remember() -> None:
    """From the first call on, in this process."""
    core.get_function_arguments = _by_class(core.get_function_arguments, _is_as_its_class)
    userstate.get_dofn_specs = _remembered_specs()
    core.DoFn.infer_output_type = _by_class(core.DoFn.infer_output_type)  # type: ignore[method-assign]
    PipelineOptions.view_as = _remembered_view()  # type: ignore[method-assign]


def _by_class(look: Any, holds: Callable[[Any], bool] = lambda _: True) -> Any:
    """What Beam asks of a DoFn and of one thing more, remembered by the DoFn's class where that holds for it."""
    known: dict[tuple[type, Any], Any] = {}

    def remembered(fn: Any, more: Any) -> Any:
        if not holds(fn):
            return look(fn, more)
        key = (type(fn), more)
        if key not in known:
            known[key] = look(fn, more)
        return known[key]

    return remembered


def _remembered_specs() -> Any:
    known: dict[type, tuple[set[Any], set[Any]]] = {}
    look = userstate.get_dofn_specs

    def remembered(fn: Any) -> tuple[set[Any], set[Any]]:
        if not _is_as_its_class(fn):
            return look(fn)
        if type(fn) not in known:
            known[type(fn)] = look(fn)
        states, timers = known[type(fn)]
        return set(states), set(timers)

    return remembered


def _is_as_its_class(fn: Any) -> bool:
    """Whether other DoFns of the class have the same arguments: Beam's own that hold a function have those of it."""
    return isinstance(fn, core.DoFn) and not hasattr(fn, "_inspect_process")


def _remembered_view() -> Any:
    known: dict[tuple[type, tuple[str, ...]], Any] = {}
    view: Any = PipelineOptions.view_as

    def remembered(self: Any, cls: Any) -> Any:
        if self._flags is None:
            return view(self, cls)  # of the process's own arguments
        key = (cls, tuple(self._flags))
        if key not in known:
            known[key] = cls(self._flags)._visible_options
        made: Any = object.__new__(cls)
        made._flags, made._visible_options, made._all_options = self._flags, known[key], self._all_options
        for name in made._visible_option_list():
            if name not in self._all_options:
                self._all_options[name] = copy.copy(getattr(known[key], name))  # a list may be added to
        return made

    return remembered
