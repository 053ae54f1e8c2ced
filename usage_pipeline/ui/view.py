"""What a page is given: the file, the filters, who looks.

Not here: how the filters are asked for (`filters.py`), how a file is read (`reading.py`).
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from usage_pipeline.ui.published_tables import Filters
from usage_pipeline.ui.reading import PublishedFile, read

T = TypeVar("T")


@dataclass(frozen=True)
class View:
    """One person's look at the published file."""

    file: PublishedFile
    filters: Filters
    config: Path | None = None
    """The configuration file; None when the dashboard was opened with a published file alone."""
    user: str | None = None
    """Name or address of who signed in; None without a login that names people."""
    warning_utilization: float = 0.8
    """Share of a quota from which on a pool is close to it, as `report.utilization_warning` says."""

    def read(self, reader: Callable[..., T], *arguments: Any) -> T:
        """What `reader(con, *arguments)` returns when `marts.*` hold only what the filters leave."""
        return read(self.file, self.filters, reader, *arguments)

    def read_all(self, reader: Callable[..., T], *arguments: Any) -> T:
        """The same over all that is published, whatever the filters."""
        return read(self.file, None, reader, *arguments)
