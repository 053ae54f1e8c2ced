"""The settings about Amazon Q Developer and Kiro: where an account's prompt logs and activity reports lie.

Here: what may be set and the sentences for what may not. Not here: which keys are read below the place
(`q_developer/object_keys.py`).
"""

from typing import Annotated, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, model_validator

from usage_pipeline.config_logs import checked_bucket, checked_prefix


class BucketPlaceSettings(BaseModel):
    """A bucket, and what comes before AWSLogs in its keys."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    bucket: Annotated[str, AfterValidator(checked_bucket)]
    prefix: Annotated[str, AfterValidator(checked_prefix)] = ""


class QDeveloperSettings(BaseModel):
    """Where one account's prompt logs and activity reports lie; what is not named is not read."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    prompt_logs: BucketPlaceSettings | None = None
    activity_reports: BucketPlaceSettings | None = None

    @model_validator(mode="after")
    def _some_place(self) -> Self:
        if self.prompt_logs is None and self.activity_reports is None:
            raise ValueError("read neither prompt_logs nor activity_reports; allowed: one of them or both.")
        return self
