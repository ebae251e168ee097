"""The package `tidemark`: what a Beam worker needs to run the jobs (`--setup_file ./setup.py`)."""

from setuptools import Extension, find_packages, setup

VERSION = "0.1.0"

RUNTIME = [
    "apache-beam[gcp]==2.77.0",
    "ciso8601>=2.3",
    "confluent-kafka>=2.6",
    "cramjam>=2.9",  # fastavro's snappy and zstandard
    "duckdb>=1.2",
    "email-validator>=2.2",
    "fastavro>=1.9",
    "google-cloud-bigquery>=3.27",
    "google-cloud-bigquery-storage>=2.27",
    "google-cloud-pubsub>=2.27",
    "grpcio>=1.67",
    "jsonschema>=4.23",
    "jsonschema-rs>=0.60",
    "lark>=1.2",
    "msgspec>=0.19",
    "numpy>=2.0",
    "orjson>=3.10",
    "phonenumbers>=8.13",
    "pyarrow>=16",
    "pycountry>=24.6",
    "PyYAML>=6.0",
    "redis>=8.1",  # --cache: the stream's workers keep it
    "requests>=2.32",
    "tzdata>=2024.2",  # time zones where the system has none, as in slim containers
]

# What a command needs that runs beside the job, on a machine of its own. No Beam worker installs it.
API = [
    "aio-pika>=10.2",
    "boto3>=1.44",
    "botocore>=1.44",
    "httptools>=0.8",
    "starlette>=1.10",
    "uvicorn>=0.54",
    "uvloop>=0.23",
    "websockets>=15",
]
AWS = ["boto3>=1.44", "botocore>=1.44"]  # files at s3://
SOURCES = ["authlib>=1.9", "boto3>=1.44", "botocore>=1.44", "httpx>=0.28", "pika>=1.4"]
ACTIVATE = ["httpx>=0.28"]
CONTENT = ["python-liquid>=2.3"]
TRUST = ["nicknames>=1.0", "scipy>=1.17", "splink>=5.0"]
REPORT = ["matplotlib>=3.9"]
METRICS = ["prometheus-client>=0.22"]  # --metrics_port, --metrics_file
EVERYTHING = sorted({*API, *AWS, *SOURCES, *ACTIVATE, *CONTENT, *TRUST, *REPORT, *METRICS})

# The peer of the batch benchmark. It has no wheels for newer Pythons; the benchmark says so and goes on without it.
BENCHMARKS = ['bytewax==0.21.*; python_version < "3.13"']

DEVELOPMENT = [
    "django>=5.2",
    "fakeredis[lua]>=2.41",
    "hypothesis>=6.120",
    "kubernetes-validate>=1.37",
    "lifetimes>=0.11.3",
    "moto[server]>=5.2",
    "mypy>=1.14",
    "psutil>=6.1",
    "pytest>=8.3",
    "pytest-xdist>=3.6",
    "python-hcl2>=8.1",
    "recordlinkage>=0.16",
    "rudder-sdk-python==2.1.9",
    "ruff>=0.9",
    "segment-analytics-python==2.4.0",
    "setuptools>=77",
    "standardwebhooks>=1.1",
    "types-jsonschema>=4.23",
    "types-psutil>=6.1",
    "types-PyYAML>=6.0",
    "types-requests>=2.32",
    "uv>=0.5",
]

# Files beside the code that the code reads: schemas, the grammar, queries, page templates.
DATA = ("avsc", "css", "csv", "html", "js", "json", "lark", "sql", "yaml")

# Where no C compiler is, the package is whole without it: transforms/parse/plain_events.py.
COMPILED = [Extension("transforms.parse._plain_events", ["transforms/parse/_plain_events.c"], optional=True)]

setup(
    name="tidemark",
    version=VERSION,
    description="Customer segments exact to the millisecond, on Apache Beam.",
    license="Apache-2.0",
    license_files=["LICENSE"],
    python_requires=">=3.11",
    packages=find_packages(include=["api*", "pipelines*", "transforms*", "schemas*"]),
    package_data={"": [f"**/*.{kind}" for kind in DATA]},
    ext_modules=COMPILED,
    install_requires=RUNTIME,
    entry_points={"console_scripts": ["tidemark = pipelines.commands:main"]},
    extras_require={
        "api": API,
        "aws": AWS,
        "sources": SOURCES,
        "activate": ACTIVATE,
        "content": CONTENT,
        "trust": TRUST,
        "report": REPORT,
        "metrics": METRICS,
        "all": EVERYTHING,
        "dev": [*DEVELOPMENT, *EVERYTHING],
        "benchmarks": BENCHMARKS,
    },
)
