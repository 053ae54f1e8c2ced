"""Reads all that one scope's metrics lack: which series exist, what to ask, and the points as files.

Here: the steps of one scope's reading in order. Not here: each step (`cloudwatch.py`, `read_plan.py`), loading the
files (`assets/`).
"""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from usage_pipeline.aws.cloudwatch import DiscoveredSeries, discover_series, read_series, write_points
from usage_pipeline.aws.errors import AWS_ERRORS, Shortfall, shortfall_of
from usage_pipeline.aws.metric_catalogue import MetricNamespace
from usage_pipeline.aws.read_plan import ACCOUNT_TOTAL, KnownModelIds, SeriesRead, SeriesState, plan_reads
from usage_pipeline.aws.scopes import Scope

if TYPE_CHECKING:
    from types_boto3_cloudwatch import CloudWatchClient


@dataclass(frozen=True)
class MetricRequest:
    """What is wanted of one scope and namespace, and what is known of it already.

    `ledger` are the rows of `ops.cloudwatch_series` for `days`. `ever_seen` are ModelIds with stored points;
    `catalogue` are ids of inference profiles and ARNs of custom deployments and imported models; `on_demand_models` are
    ids of foundation models that can be called by their own id.
    """

    days: Collection[date]
    now: datetime
    ledger: Collection[SeriesState] = ()
    ever_seen: Collection[str] = ()
    catalogue: Collection[str] = ()
    on_demand_models: Collection[str] = ()


@dataclass(frozen=True)
class StoredRead:
    """One range that was read whole, and the Parquet file with its points (columns of `cloudwatch.POINT_SCHEMA`)."""

    read: SeriesRead
    file: Path
    row_count: int


@dataclass(frozen=True)
class MetricReading:
    """What one scope's reading gave, oldest range first.

    With a shortfall, the ranges that are here are whole and those of `unread_days` are missing, in whole or in part.
    `forgotten_days` are older than CloudWatch keeps.
    """

    reads: tuple[StoredRead, ...]
    discovered: DiscoveredSeries
    forgotten_days: tuple[date, ...]
    shortfall: Shortfall | None = None
    unread_days: tuple[date, ...] = ()

    def __len__(self) -> int:
        return sum(stored.row_count for stored in self.reads)


def read_metrics(
    client: "CloudWatchClient", scope: Scope, namespace: MetricNamespace, request: MetricRequest, folder: Path
) -> MetricReading:
    """Read what the ledger lacks of the requested days into Parquet files in the folder.

    Raises:
        ClientError, BotoCoreError, ReadingError: nothing could be read. When some ranges were, they are returned.
    """
    discovered = discover_series(client, namespace)
    always = {*discovered.model_ids, *request.ever_seen, *request.catalogue}
    if namespace.hourly_totals:
        always.add(ACCOUNT_TOTAL)
    known = KnownModelIds.of(always, request.on_demand_models)
    plan = plan_reads(request.days, request.now, known, request.ledger, namespace.query_set)
    stored: list[StoredRead] = []
    shortfall = None
    unread_days: set[date] = set()
    prefix = f"{namespace.name.replace('/', '-')}-{scope.account_id}-{scope.region}"
    for number, read in enumerate(plan.reads):
        file = folder / f"{prefix}-{number}.parquet"
        try:
            batches = read_series(client, scope, namespace, read, discovered.metric_names, request.now)
            stored.append(StoredRead(read, file, write_points(batches, file)))
        except AWS_ERRORS as error:
            if not stored:
                raise
            shortfall = shortfall_of(error)
            unread_days = {state.usage_date for missed in plan.reads[number:] for state in missed.states}
            break
    return MetricReading(tuple(stored), discovered, plan.forgotten_days, shortfall, tuple(sorted(unread_days)))
