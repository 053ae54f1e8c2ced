"""The header of an activity report: which of its columns are loaded, and how their cells are read.

Not here: the columns there are (`activity_rows.py`), lines and warnings (`activity_reports.py`).
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from usage_pipeline.q_developer import report_cells
from usage_pipeline.q_developer.activity_rows import (
    KIRO_COLUMNS,
    METRICS,
    NEWER_COLUMNS,
    OTHER_SPELLINGS,
    reader_of,
)
from usage_pipeline.q_developer.report_cells import UnreadableCellError

Report = Literal["by_user_analytic", "user_report"]

USER, DAY = "UserId", "Date"

LISTED_COLUMNS = 100
"""Unknown columns that are told; a file with more of them is no report of AWS."""

_MODEL_COLUMN = re.compile(r"(?P<model>[a-z0-9][a-z0-9._:-]{0,99})_messages", re.ASCII)

_SPELLINGS = {name.lower(): name for name in (USER, DAY, *METRICS, *KIRO_COLUMNS)} | {
    other.lower(): name for other, name in OTHER_SPELLINGS.items()
}
"""AWS's name of a column, by how a header may write it."""


@dataclass
class ReportColumn:
    """One column that is loaded, and what its cells were so far."""

    place: int
    """In a line, from 0."""
    name: str
    """As the header has it."""
    target: str
    """Our column, or the model."""
    is_model: bool = False
    filled: int = 0
    unreadable: int = 0

    def value(self, cells: Sequence[str]) -> Any:
        """The cell's value; None when it is empty or unreadable."""
        cell = cells[self.place].strip()
        if not cell:
            return None
        self.filled += 1
        try:
            return report_cells.count(cell) if self.is_model else reader_of(self.target)(cell)
        except UnreadableCellError:
            self.unreadable += 1
            return None


@dataclass
class Header:
    """Which column is where."""

    width: int
    places: dict[str, int]
    """Place of the columns that AWS documents, by AWS's name."""
    models: dict[str, int]
    """Place of the columns of messages by model, by the model."""
    added: list[str]
    """The other ones, the first 100 of them."""

    @classmethod
    def of(cls, names: Sequence[str]) -> "Header":
        """Find the columns, however they are ordered and whatever the case of their letters."""
        header = cls(len(names), {}, {}, [])
        for place, written in enumerate(names):
            known = _SPELLINGS.get(written.strip().lower())
            model = _MODEL_COLUMN.fullmatch(written.strip())
            if known and known not in header.places:
                header.places[known] = place
            elif model and not known and model["model"] not in header.models:
                header.models[model["model"]] = place
            elif len(header.added) < LISTED_COLUMNS:
                header.added.append(written)
        return header

    @property
    def report(self) -> Report:
        """Kiro's newer report has columns of its own; its older one is Amazon Q Developer's."""
        return "user_report" if self.models or self.places.keys() & KIRO_COLUMNS.keys() else "by_user_analytic"

    def loaded(self) -> list[ReportColumn]:
        """The columns that fill ours."""
        ours = {**METRICS, **KIRO_COLUMNS}
        known = [ReportColumn(place, name, ours[name]) for name, place in self.places.items() if name in ours]
        return known + [
            ReportColumn(place, f"{model}_messages", model, is_model=True) for model, place in self.models.items()
        ]

    def lacking_keys(self) -> list[str]:
        """The columns without which no line can be a row."""
        return [name for name in (USER, DAY) if name not in self.places]

    def missing(self) -> list[str]:
        """The columns that such a report should have."""
        expected = METRICS if self.report == "by_user_analytic" else KIRO_COLUMNS.keys() - NEWER_COLUMNS
        return sorted(set(expected) - self.places.keys())
