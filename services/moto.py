"""Services of AWS: moto's server, in memory, one for each."""

from __future__ import annotations

from services.python_server import python_server
from services.service import Service


def _moto(name: str, summary: str, variable: str) -> Service:
    """One that clients find by an environment variable; any credentials do."""
    signs_in = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_DEFAULT_REGION": "us-east-1"}
    return python_server(
        name,
        f"{summary} (moto's server)",
        "moto.server",
        arguments=lambda port: ["-H", "127.0.0.1", "-p", port],
        environment=lambda url: {variable: url, **signs_in},
        healthy="/moto-api/data.json",
    )


S3 = _moto("s3", "S3", "AWS_ENDPOINT_URL_S3")
KINESIS = _moto("kinesis", "Kinesis", "AWS_ENDPOINT_URL_KINESIS")
