"""The main job: `python -m pipelines.profiles`. Events in; profiles, memberships and failed events out.

Beam is imported when everything that was asked is right: a mistake is told at once.
"""

import sys
from collections.abc import Sequence

from pipelines.forked.start import fork_server, looks_large
from pipelines.import_beam import names_a_store
from pipelines.words.failure import end_quietly


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the job; returns the exit status: 0 done, 1 the job failed, 2 the arguments or a segment are wrong."""
    given = sys.argv[1:] if arguments is None else arguments
    if not looks_large(given):
        return _main(given, None)
    with fork_server(stores=names_a_store(given)) as worker_command:
        return _main(given, worker_command)


def _main(given: Sequence[str], worker_command: str | None) -> int:
    from pipelines.profiles_job import run_arguments  # beside the server, which imports as much

    return run_arguments(given, worker_command)


if __name__ == "__main__":
    status = main()
    end_quietly()
    sys.exit(status)
