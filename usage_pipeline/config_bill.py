"""The settings about AWS's bill: which files of a cost and usage report are read.

Here: what may be set and the sentences for what may not. Not here: reading the files (`bill_files.py`).
"""

import re
from pathlib import Path
from typing import Annotated, Self

from pydantic import AfterValidator, BaseModel, ConfigDict

from usage_pipeline.config_problems import quote

_ADDRESS = re.compile(r"[a-z0-9]+://")


def _checked_files(files: str) -> str:
    if not files.strip():
        raise ValueError(f"read {quote(files)}; allowed: the path of export files, with * for what differs.")
    if _ADDRESS.match(files):
        raise ValueError(
            f"read {quote(files)}; allowed: files on this machine. Copy the export first, for example with "
            "`aws s3 sync --delete`."
        )
    return files


class BillSettings(BaseModel):
    """Where the bill lies. `files` is a path with wildcards, under the configuration file's folder if relative."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    files: Annotated[str, AfterValidator(_checked_files)] | None = None

    def in_folder(self, folder: Path) -> Self:
        """The same with an absolute path."""
        if self.files is None:
            return self
        return self.model_copy(update={"files": str(folder / Path(self.files).expanduser())})
