"""`python -m pipelines COMMAND ...`: the same as `tidemark COMMAND ...`."""

import sys

from pipelines.commands import main

if __name__ == "__main__":
    sys.exit(main())
