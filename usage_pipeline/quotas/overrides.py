"""What people decide about quota codes, and the index of all mappings that they review: one CSV format for both.

Here: the rows, reading and writing the file. Not here: which of rule, model and person decides (`precedence.py`).
"""

import csv
import io
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field

from usage_pipeline.config_values import checked_region
from usage_pipeline.reference import ReferenceRow, Text, none_if_empty, numbered_rows

UNMAPPED = "unmapped"
"""The method of a row without a code that decides nothing: the index has it so that people see what is open."""

_KEYS = ("model", "endpoint", "quota_type")
_SCOPE = ("account", "region")


class QuotaIndexRow(ReferenceRow):
    """Which quota limits a model in every account and Region; without a code, none does."""

    model: Text
    endpoint: Annotated[
        Literal["on_demand", "geo", "global", "custom_deployment"],
        Field(description="on_demand, geo, global or custom_deployment"),
    ]
    quota_type: Annotated[
        Literal["tpm", "rpm", "tpd", "concurrency"], Field(description="tpm, rpm, tpd or concurrency")
    ]
    quota_code: Annotated[
        Annotated[str, Field(pattern=r"^L-[0-9A-F]{8}$")] | None,
        BeforeValidator(none_if_empty),
        Field(description="a quota code such as L-F4DDD3EB, or nothing where AWS has no such quota"),
    ]
    quota_name: Annotated[str | None, BeforeValidator(none_if_empty), Field(description="AWS's name, or nothing")]
    method: Annotated[
        Literal["rule", "llm", "override", "none", "unmapped"] | None,
        BeforeValidator(none_if_empty),
        Field(description="rule, llm, override, none, unmapped or nothing"),
    ]

    @property
    def scope(self) -> tuple[str | None, str | None]:
        """Account id and Region for which it holds; None is every one."""
        return None, None

    @property
    def decides(self) -> bool:
        """False for a row of the index that is still open."""
        return self.quota_code is not None or self.method != UNMAPPED

    def key(self) -> tuple[str, ...]:
        """A model's endpoint has one quota of a type in an account and Region."""
        account, region = self.scope
        return (self.model, self.endpoint, self.quota_type, account or "every account", region or "every Region")


class ScopedQuotaIndexRow(QuotaIndexRow):
    """The same for one account or Region."""

    account: Annotated[
        Annotated[str, Field(pattern=r"^\d{12}$")] | None,
        BeforeValidator(none_if_empty),
        Field(description="a twelve-digit account id, or nothing for every account"),
    ]
    region: Annotated[
        Annotated[str, AfterValidator(checked_region)] | None,
        BeforeValidator(none_if_empty),
        Field(description="a Region code such as us-east-1, or nothing for every Region"),
    ]

    @property
    def scope(self) -> tuple[str | None, str | None]:
        """Account id and Region for which it holds; None is every one."""
        return self.account, self.region


def read_overrides(path: Path) -> list[QuotaIndexRow]:
    """The rows of a file that decide something. Its columns are those of the index; account and region may follow.

    Raises:
        ReferenceDataError: a value or column that is not allowed, or one thing decided twice; names the file, line,
            column, what was read and what is allowed.
    """
    row_type = ScopedQuotaIndexRow if set(_SCOPE) & set(_header(path)) else QuotaIndexRow
    return [row for _, row in numbered_rows(path, row_type) if row.decides]


def _header(path: Path) -> list[str]:
    """The first line's columns; none where the file cannot be read, which `numbered_rows` then says."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            return next(csv.reader(file), [])
    except (OSError, UnicodeDecodeError, csv.Error):
        return []


def index_text(mappings: Iterable[Mapping[str, Any]]) -> str:
    """The index of mappings (rows of raw.quota_mappings) as CSV, ordered by model; read back, it decides the same.

    A row holds for every account and Region that has the model; where they differ, each has a row of its own. What the
    rules find that AWS has no quota for is left out.
    """
    by_key: dict[tuple[str, ...], list[Mapping[str, Any]]] = {}
    for mapping in mappings:
        key = (mapping["model_id"], mapping["endpoint_type"], mapping["quota_kind"])
        by_key.setdefault(key, []).append(mapping)
    rows = [row for key in sorted(by_key) for row in _index_rows(key, by_key[key])]
    is_scoped = any(row["account"] for row in rows)
    text = io.StringIO()
    columns = [*QuotaIndexRow.model_fields, *(_SCOPE if is_scoped else ())]
    writer = csv.DictWriter(text, columns, extrasaction="ignore", lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def _index_rows(key: tuple[str, ...], mappings: list[Mapping[str, Any]]) -> Iterable[dict[str, str]]:
    """One row when all scopes have the same code, else one for each scope that says something."""
    if len({(one["quota_code"], one["method"], one["status"]) for one in mappings}) == 1:
        first = min(mappings, key=lambda one: (one["account_id"], one["region"]))
        found = [_index_row(key, first, "", "")]
    else:
        ordered = sorted(mappings, key=lambda one: (one["account_id"], one["region"]))
        found = [_index_row(key, one, one["account_id"], one["region"]) for one in ordered]
    return [row for row in found if row["method"] != "none"]


def _index_row(key: tuple[str, ...], mapping: Mapping[str, Any], account: str, region: str) -> dict[str, str]:
    return {
        **dict(zip(_KEYS, key, strict=True)),
        "quota_code": mapping["quota_code"] or "",
        "quota_name": mapping["quota_name"] or "",
        "method": UNMAPPED if mapping["status"] == UNMAPPED else mapping["method"],
        "account": account,
        "region": region,
    }
