"""What a report says of AWS's bill and of quotas that changed, as values.

Here: the types. Not here: where the numbers come from (`ledgers.py`), the rest of the report (`contents.py`).
NULL means unknown everywhere, never zero. Money is exact US dollars.
"""

from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from usage_pipeline.report.table_rows import table


@dataclass(frozen=True)
class BillRow:
    """Computed and billed cost of one account, Region and model; sums of rows of `marts.bill_reconciliation`.

    `agrees`, `differs`, `only_billed` and `only_computed` count those rows: days, endpoint types and kinds of token.
    """

    account_id: str
    account_name: str
    region: str
    model_id: str | None
    computed_usd: Decimal | None
    billed_usd: Decimal | None
    difference_usd: Decimal | None
    ratio: float | None
    agrees: int
    differs: int
    only_billed: int
    only_computed: int
    unpriced_calls: int


@dataclass(frozen=True)
class Bill:
    """The bill of the report's days that were billed."""

    first_day: date
    last_day: date
    rows: tuple[BillRow, ...] = table()


@dataclass(frozen=True)
class QuotaChange:
    """A quota that AWS gave another value; `before` and `after` are in the quota's own unit.

    `pools` are those in use that it limits.
    """

    since: date
    account_id: str
    account_name: str | None
    region: str
    quota_code: str
    quota_name: str
    limit_source: str
    before: float | None
    after: float | None
    pools: tuple[str, ...]
