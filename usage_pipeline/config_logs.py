"""The settings about invocation logs: where they lie, and the rules that name the application of a request.

Here: what may be set and the sentences for what may not. Not here: asking AWS where logs go
(`aws/invocation_logging.py`), applying the rules (`dbt_like_sql/`).
"""

import re
from typing import Annotated, Any, Literal, Self, cast

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Discriminator,
    Field,
    Tag,
    ValidationInfo,
    field_validator,
    model_validator,
)

from usage_pipeline.config_problems import quote
from usage_pipeline.config_values import checked_region

APPLICATION = "{application}"
"""Stands in a rule's pattern for the application's name."""

Subject = Literal["role", "user", "session", "metadata", "tag"]

_KEYED = ("metadata", "tag")
_BUCKET_NAME = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")
_LOG_GROUP_NAME = re.compile(r"[\w/.#-]{1,512}", re.ASCII)
_OTHER_BRACES = re.compile(r"\{(?!application\})\s*[A-Za-z_][\w ]*\}")


def off_word(value: object) -> object:
    """The one word that may stand for a place: `off`, which YAML reads as false when it is not quoted."""
    if value is False or value == "off":
        return "off"
    raise ValueError(f"read {quote(value)}; allowed: off, a bucket (with its prefix), or a log_group.")


def checked_bucket(bucket: str) -> str:
    """The name, if a bucket may have it."""
    if not _BUCKET_NAME.fullmatch(bucket):
        raise ValueError(
            f"read {quote(bucket)}, which is no bucket name; allowed: the name alone, such as my-bedrock-logs, and "
            "what comes before AWSLogs in the keys as prefix."
        )
    return bucket


def checked_prefix(prefix: str) -> str:
    """What comes before AWSLogs in the keys of a bucket."""
    if "AWSLogs" in prefix.split("/"):
        raise ValueError(f"read {quote(prefix)}; allowed: the part of the keys before AWSLogs.")
    return prefix


def _checked_log_group(name: str) -> str:
    if not _LOG_GROUP_NAME.fullmatch(name):
        raise ValueError(f"read {quote(name)}, which is no log group; allowed: a name such as /bedrock/invocations.")
    return name


class LogPlaceSettings(BaseModel):
    """Where one Region's invocation logs lie: an S3 bucket, or a CloudWatch Logs group of the account."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    bucket: Annotated[str, AfterValidator(checked_bucket)] | None = None
    prefix: Annotated[str, AfterValidator(checked_prefix)] = ""
    log_group: Annotated[str, AfterValidator(_checked_log_group)] | None = None

    @model_validator(mode="after")
    def _one_place(self) -> Self:
        if (self.bucket is None) == (self.log_group is None):
            read = "neither bucket nor log_group" if self.bucket is None else "both bucket and log_group"
            raise ValueError(f"read {read}; allowed: one of them.")
        if self.prefix and self.bucket is None:
            raise ValueError("prefix is set without bucket; allowed: a prefix of a bucket's keys.")
        return self


def _kind_of_place(value: object) -> str:
    return "place" if isinstance(value, dict | LogPlaceSettings) else "word"


def _kind_of_logs(value: object) -> str:
    if not isinstance(value, dict):
        return _kind_of_place(value)
    entries = cast("dict[object, object]", value)
    # Both are mappings: a place's values are text, a Region's are places or `off`.
    nested = any(isinstance(entry, dict | LogPlaceSettings) or entry in (False, "off") for entry in entries.values())
    return "map" if nested else "place"


_Off = Annotated[Literal["off"], BeforeValidator(off_word), Tag("word")]
LogPlace = Annotated[_Off | Annotated[LogPlaceSettings, Tag("place")], Discriminator(_kind_of_place)]
LogSettings = Annotated[
    _Off
    | Annotated[LogPlaceSettings, Tag("place")]
    | Annotated[dict[Annotated[str, AfterValidator(checked_region)], LogPlace], Tag("map")],
    Discriminator(_kind_of_logs),
]
"""One place for all Regions of an account, or a place for each of some Regions; `off` where logs are not read."""


class ApplicationRule(BaseModel):
    """One rule that names the application of a request, by its caller, its metadata or its profile's tags.

    `pattern` is a regular expression (RE2's syntax) over the whole text, in which `{application}` stands for the name.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    subject: Subject
    key: str | None = Field(default=None, min_length=1, max_length=256, validate_default=True)
    pattern: str = Field(default=APPLICATION, min_length=1, max_length=1000, validate_default=True)
    application: str | None = Field(default=None, min_length=1, max_length=256, validate_default=True)

    @property
    def expression(self) -> str:
        """The pattern as a regular expression; group 1, if any, is the application's name."""
        return _expression(self.pattern)

    @field_validator("key")
    @classmethod
    def _key_of_metadata_or_tag(cls, key: str | None, info: ValidationInfo) -> str | None:
        subject = info.data.get("subject")
        if subject in _KEYED and key is None:
            raise ValueError(f"is missing; a rule about {subject} needs the key whose value is looked at.")
        if subject is not None and subject not in _KEYED and key is not None:
            raise ValueError(f"read {quote(key)}; allowed: a key only with subject metadata or tag.")
        return key

    @field_validator("pattern")
    @classmethod
    def _pattern_can_be_used(cls, pattern: str) -> str:
        if other := _OTHER_BRACES.search(pattern):
            raise ValueError(f"read {quote(pattern)} with {other[0]}; allowed in braces: {APPLICATION}.")
        if problem := _expression_problem(_expression(pattern)):
            raise ValueError(f"read {quote(pattern)}, which is no regular expression (RE2): {problem}")
        if re.compile(_expression(pattern)).groups > 1:
            raise ValueError(
                f"read {quote(pattern)} with more than one group; allowed: one, which is the name; write the others "
                "(?:…)."
            )
        return pattern

    @field_validator("application")
    @classmethod
    def _one_name(cls, application: str | None, info: ValidationInfo) -> str | None:
        pattern: str | None = info.data.get("pattern")
        if pattern is None:
            return application
        has_group = re.compile(_expression(pattern)).groups == 1
        if not has_group and application is None:
            raise ValueError(
                f"is missing, and the pattern {quote(pattern)} gives no name; allowed: {APPLICATION} in the pattern, "
                "or the name as application."
            )
        if has_group and application is not None:
            raise ValueError(
                f"read {quote(application)}, but the pattern {quote(pattern)} gives the name; allowed: one of both."
            )
        return application


# Not validated, which would open a database at import.
DEFAULT_APPLICATIONS = (
    ApplicationRule.model_construct(subject="role", key=None, pattern=f"{APPLICATION}-BedrockRole", application=None),
)


def _expression(pattern: str) -> str:
    return pattern.replace(APPLICATION, "(.+)")


def _expression_problem(expression: str) -> str | None:
    """Why Python, which counts the groups, or DuckDB, which applies the expression, cannot read it."""
    try:
        re.compile(expression)
    except re.error as error:
        return f"{error}."
    import duckdb  # the settings are read in many places that need no database

    con: Any = duckdb.connect()
    try:
        con.execute("select regexp_full_match('', $1)", [expression])
    except duckdb.InvalidInputException as error:
        return str(error).removeprefix("Invalid Input Error: ").strip().rstrip(".") + "."
    finally:
        con.close()
    return None
