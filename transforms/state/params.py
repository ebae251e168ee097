"""Beam's markers of what an argument of `process` or of a timer's method is bound to, as defaults of typed arguments.

Beam finds them by the default's value; a type checker takes the marker itself for the default. So they are Any here.
"""

from typing import Any

import apache_beam as beam

TIMESTAMP_PARAM: Any = beam.DoFn.TimestampParam
KEY_PARAM: Any = beam.DoFn.KeyParam
