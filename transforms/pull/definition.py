"""What a file `sources/NAME.yaml` says: where rows are, how they are asked for, and what event each becomes."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from transforms.pull.mapping import Field, Steps
from transforms.pull.paging import Paging

AuthKind = Literal["none", "oauth2", "bearer", "basic", "header"]
TimeFormat = Literal["iso", "plain", "seconds", "milliseconds"]
TIME_FORMATS: tuple[TimeFormat, ...] = ("iso", "plain", "seconds", "milliseconds")
HOUR_US = 3_600_000_000


@dataclass(frozen=True, slots=True)
class Auth:
    """How a request says who asks. What is secret is not shown.

    `oauth2`: client credentials, with `token_url`, `client_id`, `client_secret`, `scope`. `bearer`: `token`. `basic`:
    `user`, `password`. `header`: `name`, `value`.
    """

    kind: AuthKind = "none"
    settings: dict[str, str] = field(default_factory=dict, repr=False)


@dataclass(frozen=True, slots=True)
class Changed:
    """The cursor: rows that changed since an instant are asked for.

    Attributes:
        fields: where a row tells when it changed; the first that has a value counts.
        parameter: that asks for rows changed at or after an instant; "" where the API has none.
        format: of that instant: ISO 8601 with Z; without zone (`plain`, UTC); seconds or milliseconds since the epoch.
        overlap_us: how far before the latest change of the last pull the next one begins.
    """

    fields: tuple[Steps, ...]
    parameter: str = ""
    format: TimeFormat = "iso"
    overlap_us: int = HOUR_US


@dataclass(frozen=True, slots=True)
class SourceDefinition:
    """One source.

    Attributes:
        name: of the file; the first part of each messageId.
        url: of the rows.
        query: parameters of every first request.
        headers: of every request.
        auth: who asks.
        pages: how it is paged.
        rows: where the list is in a page's body; the first that is a list counts. `()` is the body itself.
        errors: where a body tells of an error although the status says success.
        identity: of a row.
        version: of a row; without one, the row's content is.
        changed: the cursor; None: everything is asked for each time.
        replaces: whether a row's new version takes back the former one.
        fields: of the event.
    """

    name: str
    url: str
    identity: Steps
    fields: tuple[Field, ...]
    description: str = ""
    query: dict[str, str] = field(default_factory=dict)
    headers: dict[str, str] = field(default_factory=dict, repr=False)
    auth: Auth = field(default_factory=Auth)
    pages: Paging = field(default_factory=Paging)
    rows: tuple[Steps, ...] = ((),)
    errors: tuple[Steps, ...] = (("error",), ("errors",))
    version: tuple[Steps, ...] = ()
    changed: Changed | None = None
    replaces: bool = False
