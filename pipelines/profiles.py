"""The main job: `python -m pipelines.profiles`. Events in; profiles, exact segment memberships and failed events out."""

import logging
import sys
from collections.abc import Sequence

import apache_beam as beam
from apache_beam.options.pipeline_options import PipelineOptions

from pipelines.batch import build_batch
from pipelines.options import ProfilesOptions, UsageError, parse_profiles_options
from pipelines.runners import with_default_runner
from pipelines.summary import print_summary


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the job; returns the exit status: 0 done, 1 the job failed, 2 the arguments or a segment are wrong."""
    logging.basicConfig(format="%(levelname)s %(message)s", level=logging.WARNING)
    try:
        options = parse_profiles_options(sys.argv[1:] if arguments is None else arguments)
    except UsageError as error:
        print(error, file=sys.stderr)
        return 2
    for warning in options.warnings:
        print(f"warning: {warning}", file=sys.stderr)
    return run(options)


def run(options: ProfilesOptions) -> int:
    """Runs a job whose options have been checked."""
    pipeline = beam.Pipeline(options=PipelineOptions(with_default_runner(options)))
    build_batch(pipeline, options)
    result = pipeline.run()
    result.wait_until_finish()
    print_summary(options, result)
    return 0


if __name__ == "__main__":
    sys.exit(main())
