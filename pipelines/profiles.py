"""The main job: `python -m pipelines.profiles`. Events in; profiles, memberships and failed events out.

Beam is imported when everything that was asked is right: a mistake is told at once.
"""

import sys
from collections.abc import Sequence

from pipelines.forked.start import fork_server, takes_processes
from pipelines.import_beam import import_beam
from pipelines.options.profiles import ProfilesOptions, parse_profiles_options
from pipelines.temporary import interruptible, own_temporary_folder
from pipelines.words.failure import end_quietly
from pipelines.words.log import log_format_of, log_lines, say_error
from schemas.errors import UsageError


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the job; returns the exit status: 0 done, 1 the job failed, 2 the arguments or a segment are wrong."""
    given = sys.argv[1:] if arguments is None else arguments
    with log_lines(log_format_of(given)):
        try:
            options = parse_profiles_options(given)
        except UsageError as error:
            say_error(error)
            return 2
        for warning in options.warnings:
            print(f"warning: {warning}", file=sys.stderr)
        return run(options)


def run(options: ProfilesOptions) -> int:
    """Runs a job whose options have been checked."""
    if not all(location.bounded for location in options.inputs):
        from pipelines.stream_job import run_stream

        with own_temporary_folder():
            return run_stream(options)
    with own_temporary_folder(), interruptible() as stopped:
        if not takes_processes(options):
            import_beam()
            from pipelines.batch_job import run_batch

            return run_batch(options, stopped)
        with fork_server() as worker_command:
            import_beam()
            from pipelines.batch_job import run_batch

            return run_batch(options, stopped, worker_command)


if __name__ == "__main__":
    status = main()
    end_quietly()
    sys.exit(status)
