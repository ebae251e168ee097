"""`python -m api`: takes events in over HTTP, and tells who is in which segment."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from api.options import parse_options
from api.server import LOG_TEXT, serve
from pipelines.words.log import log_format_of, log_lines, say_error
from schemas.errors import UsageError


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the server until it is stopped. Exit status: 0 it was stopped, 1 it failed, 2 the arguments are wrong."""
    given = sys.argv[1:] if arguments is None else arguments
    with log_lines(log_format_of(given), LOG_TEXT):
        try:
            options = parse_options(given)
        except UsageError as error:
            say_error(error)
            return 2
        return serve(options)


if __name__ == "__main__":
    sys.exit(main())
