"""The settings about quota codes that rules leave open: a language model to ask, and a file in which people decide.

Here: what may be set. Not here: asking and reading the file (`quotas/`, `assets/llm_quota_mappings.py`).
"""

from pathlib import Path
from typing import Annotated, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from usage_pipeline.config_values import checked_region


class QuotaMappingSettings(BaseModel):
    """Without `llm_model` no model is asked; without `overrides_file` nobody overrides anything.

    A relative path lies under the configuration file's folder. The model is asked with the credentials of
    `llm_account` (a configured account's name; the first if unset) in `llm_region` (the account's own if unset).
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    llm_model: Annotated[str, Field(min_length=1, max_length=2048)] | None = None
    llm_region: Annotated[str, AfterValidator(checked_region)] | None = None
    llm_account: Annotated[str, Field(min_length=1, max_length=100)] | None = None
    overrides_file: Path | None = None

    def in_folder(self, folder: Path) -> Self:
        """The same with an absolute path."""
        if self.overrides_file is None:
            return self
        return self.model_copy(update={"overrides_file": folder / self.overrides_file.expanduser()})

    def missing_files(self) -> dict[str, Path]:
        """Files that are named and are not there, by setting."""
        is_missing = self.overrides_file is not None and not self.overrides_file.is_file()
        return {"overrides_file": self.overrides_file} if is_missing and self.overrides_file else {}
