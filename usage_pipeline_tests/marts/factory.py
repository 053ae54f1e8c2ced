"""A warehouse in memory with raw rows written as a test needs them, and the SQL models built over them.

Here: raw rows with sensible defaults for what a test does not care about. Not here: expected values.
"""

from collections.abc import Collection, Mapping
from datetime import date, datetime, timedelta
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any

import pyarrow as pa

from usage_pipeline import raw_tables as raw
from usage_pipeline.assets.bill_storage import replace_months
from usage_pipeline.sql_builds import BuiltModel, build
from usage_pipeline.sql_models import load_models
from usage_pipeline.warehouse import (
    SeriesWindow,
    arrow_schema,
    note_changed_days,
    record_source_status,
    registered,
    replace_all,
    replace_days,
    replace_series,
    transaction,
)
from usage_pipeline_tests.empty_warehouse import empty_warehouse, make_tables

ACCOUNT = "111122223333"
ACCOUNT_NAME = "production"
REGION = "us-east-1"
DAY = date(2026, 11, 14)
NEXT_MIDNIGHT = datetime(2026, 11, 15)

SONNET = "anthropic.claude-sonnet-4-5-20250929-v1:0"
NOVA = "amazon.nova-lite-v1:0"

METRIC_NAMES = {
    "invocations": ("Invocations", "Sum"),
    "throttles": ("InvocationThrottles", "Sum"),
    "client_errors": ("InvocationClientErrors", "Sum"),
    "server_errors": ("InvocationServerErrors", "Sum"),
    "input_tokens": ("InputTokenCount", "Sum"),
    "output_tokens": ("OutputTokenCount", "Sum"),
    "cache_read_tokens": ("CacheReadInputTokenCount", "Sum"),
    "cache_write_tokens": ("CacheWriteInputTokenCount", "Sum"),
    "older_cache_read_tokens": ("CacheReadInputTokens", "Sum"),
    "older_cache_write_tokens": ("CacheWriteInputTokens", "Sum"),
    "aws_estimated_tokens": ("EstimatedTPMQuotaUsage", "Sum"),
    "latency_ms_sum": ("InvocationLatency", "Sum"),
    "latency_samples": ("InvocationLatency", "SampleCount"),
    "ttft_ms_sum": ("TimeToFirstToken", "Sum"),
    "ttft_samples": ("TimeToFirstToken", "SampleCount"),
    "latency_ms_p50": ("InvocationLatency", "p50"),
    "latency_ms_p90": ("InvocationLatency", "p90"),
    "latency_ms_p99": ("InvocationLatency", "p99"),
}

MODELS = load_models()
"""The project's models, read once for each test process."""


def at(text: str) -> datetime:
    """`14T10:30` is 10:30 UTC on 14 November 2026."""
    return datetime.fromisoformat(f"2026-11-{text}")


def minutes_of(day: date, every: int = 1, first: int = 0, count: int | None = None) -> list[datetime]:
    """Minutes of a UTC day: every n-th from the `first`."""
    midnight = datetime(day.year, day.month, day.day)
    found = [midnight + timedelta(minutes=minute) for minute in range(first, 1440, every)]
    return found[:count]


@cache
def names_to_build(wanted: frozenset[str]) -> frozenset[str]:
    """These models and all that they read; every model when none is named."""
    dependencies = {model.qualified_name: model.dependencies for model in MODELS}
    assert wanted <= dependencies.keys(), f"no model makes {sorted(wanted - dependencies.keys())}"
    needed: set[str] = set()
    waiting = set(wanted or dependencies)
    while waiting:
        name = waiting.pop()
        needed.add(name)
        waiting |= set(dependencies[name]) & dependencies.keys() - needed
    return frozenset(needed)


STATE = frozenset(
    table.qualified_name for table in (raw.SOURCE_STATUS, raw.DAY_CHANGES, raw.SQL_MODEL_BUILDS, raw.COLUMN_LINEAGE)
)
"""Stored tables in which every run keeps what it did."""


@cache
def stored_tables_of(names: frozenset[str]) -> frozenset[str]:
    """The stored tables that these models read, and those that every run writes."""
    read = {name for model in MODELS if model.qualified_name in names for name in model.dependencies}
    return STATE | read & raw.STORED_TABLES.keys()


def arns(model_id: str, *regions: str) -> list[str]:
    """Foundation model ARNs in Regions; `""` gives the ARN without a Region."""
    return [f"arn:aws:bedrock:{region}::foundation-model/{model_id}" for region in regions]


class Store:
    """A warehouse in memory. Raw rows wait here until `build` writes them the way the pipeline does.

    Of the SQL models it builds those `wanted` and what they read; all of them when none is named. It has the stored
    tables that they are made from and those that rows were added to.
    """

    def __init__(self, *wanted: str) -> None:
        self._wanted = wanted
        self._tables = set(stored_tables_of(names_to_build(frozenset(wanted))) if wanted else raw.STORED_TABLES)
        self.con = empty_warehouse(self._tables)
        self._filled: set[str] = set()
        self._rows: dict[str, list[dict[str, Any]]] = {}
        self.endpoint_prefix("us", "geo")
        self.endpoint_prefix("global", "global")
        self.scope()

    def add(self, table: raw.StoredTable, **values: Any) -> None:
        """One raw row; columns that are not given are NULL."""
        row = {column.name: values.pop(column.name, None) for column in table.columns}
        assert not values, f"{table.qualified_name} has no {sorted(values)}"
        self._rows.setdefault(table.qualified_name, []).append(row)

    # Catalogues

    def scope(self, account_id: str = ACCOUNT, account_name: str = ACCOUNT_NAME, region: str = REGION) -> None:
        self.add(
            raw.SCOPES,
            account_id=account_id,
            account_name=account_name,
            region=region,
            aws_partition="aws",
            is_configured=True,
        )

    def model(self, model_id: str, *, on_demand: bool = True, snapshot: date = DAY, **values: Any) -> None:
        self.add(
            raw.FOUNDATION_MODELS,
            **_scope_of(values),
            snapshot_date=snapshot,
            model_id=model_id,
            model_name=values.pop("model_name", model_id),
            provider_name=values.pop("provider_name", "Anthropic"),
            inference_types=["ON_DEMAND"] if on_demand else ["INFERENCE_PROFILE"],
            **values,
        )

    def system_profile(self, profile_id: str, model_arns: list[str], *, snapshot: date = DAY, **values: Any) -> None:
        self._profile(profile_id, "SYSTEM_DEFINED", model_arns, snapshot, values)

    def application_profile(
        self, profile_id: str, model_arns: list[str], *, snapshot: date = DAY, **values: Any
    ) -> None:
        self._profile(profile_id, "APPLICATION", model_arns, snapshot, values)

    def _profile(
        self, profile_id: str, profile_type: str, model_arns: list[str], snapshot: date, values: dict[str, Any]
    ) -> None:
        tags: dict[str, str] | None = values.pop("tags", {})
        self.add(
            raw.INFERENCE_PROFILES,
            **_scope_of(values),
            snapshot_date=snapshot,
            profile_id=profile_id,
            profile_name=values.pop("profile_name", profile_id),
            profile_type=profile_type,
            status="ACTIVE",
            model_arns=model_arns,
            tags=None if tags is None else list(tags.items()),
            **values,
        )

    def custom_deployment(self, arn: str, base_model_id: str | None, name: str = "tuned") -> None:
        base = arns(base_model_id, REGION)[0] if base_model_id else None
        self.add(
            raw.CUSTOM_DEPLOYMENTS,
            **_scope_of({}),
            snapshot_date=DAY,
            deployment_arn=arn,
            deployment_name=name,
            base_model_arn=base,
        )

    def imported_model(self, arn: str, name: str = "our-llama") -> None:
        self.add(raw.IMPORTED_MODELS, **_scope_of({}), snapshot_date=DAY, model_arn=arn, model_name=name)

    def endpoint_prefix(self, prefix: str, endpoint_type: str) -> None:
        self.add(raw.ENDPOINT_PREFIXES, prefix=prefix, endpoint_type=endpoint_type, source="test")

    # Quotas and rates

    def quota(
        self,
        model_id: str,
        endpoint_type: str,
        kind: str,
        value: float,
        *,
        name: str = "Cross-region model inference tokens per minute for a model",
        source: str = "applied",
        valid_from: datetime = datetime(2026, 11, 14),
        valid_to: datetime | None = None,
        mapped: bool = True,
    ) -> str:
        """What AWS said of a quota in a period and, unless told otherwise, its mapping; returns its code."""
        code = f"L-{kind}-{endpoint_type}-{model_id}"
        self.add(
            raw.SERVICE_QUOTAS,
            **_scope_of({}),
            quota_code=code,
            quota_name=name,
            limit_value=value,
            limit_source=source,
            valid_from=valid_from,
            valid_to=valid_to,
        )
        if mapped:
            self.mapping(model_id, endpoint_type, kind, code=code, name=name)
        return code

    def mapping(
        self,
        model_id: str,
        endpoint_type: str,
        kind: str,
        *,
        code: str | None = None,
        name: str | None = None,
        method: str = "rule",
        status: str = "mapped",
    ) -> None:
        self.add(
            raw.QUOTA_MAPPINGS,
            **_scope_of({}),
            model_id=model_id,
            endpoint_type=endpoint_type,
            quota_kind=kind,
            quota_code=code,
            quota_name=name,
            method=method,
            status=status,
            reason="test",
        )

    def burndown(
        self,
        pattern: str,
        rate: float,
        basis: str = "documented",
        valid_from: date = date(2023, 1, 1),
        valid_to: date | None = None,
    ) -> None:
        self.add(
            raw.BURNDOWN_RATES,
            model_pattern=pattern,
            rate=rate,
            valid_from=valid_from,
            valid_to=valid_to,
            basis=basis,
            source="test",
        )

    def model_limit(self, pattern: str, max_output_tokens: int) -> None:
        self.add(raw.MODEL_LIMITS, model_pattern=pattern, max_output_tokens=max_output_tokens, source="test")

    # Metrics

    def usage(self, model_id: str | None, ts: datetime, *, period: int = 60, **metrics: float) -> None:
        """One period of one ModelId: keyword names as in METRIC_NAMES, also `account_id` and `region`."""
        scope = _scope_of(metrics)
        for name, value in metrics.items():
            metric_name, statistic = METRIC_NAMES[name]
            self.add(
                raw.CLOUDWATCH_METRICS,
                **scope,
                usage_date=ts.date(),
                namespace="AWS/Bedrock",
                dimension_set="ModelId" if model_id else "none",
                model_id=model_id,
                metric_name=metric_name,
                statistic=statistic,
                ts=ts,
                period_seconds=period,
                value=float(value),
            )

    def published_max_tokens(self, model_id: str, ts: datetime, total: float, requests: int) -> None:
        for statistic, value in (("Sum", total), ("SampleCount", requests)):
            self.add(
                raw.MAX_TOKENS_METRIC,
                **_scope_of({}),
                usage_date=ts.date(),
                namespace="Bedrock/Quotas",
                dimension_set="ModelId",
                model_id=model_id,
                metric_name="MaxTokens",
                statistic=statistic,
                ts=ts,
                period_seconds=60,
                value=float(value),
            )

    def covered(
        self, day: date, until: datetime | None = None, resolution: int = 60, status: str = "ok", **values: Any
    ) -> None:
        """CloudWatch metrics of the day were read: whole, or until a moment."""
        self.add(
            raw.SOURCE_STATUS,
            **_scope_of(values),
            account_name=values.pop("account_name", ACCOUNT_NAME),
            source="cloudwatch_metrics",
            partition_date=day,
            status=status,
            covered_until=until or datetime(day.year, day.month, day.day) + timedelta(days=1),
            resolution_seconds=resolution,
            **values,
        )

    # Invocation logs

    def call(self, model_id: str, ts: datetime, **values: Any) -> str:
        """One logged request, answered unless `error_code` says otherwise; returns its id."""
        calls = self._rows.get(raw.INVOCATIONS.qualified_name, [])
        request_id = values.pop("request_id", f"{ts:%dT%H:%M:%S}-{len(calls)}")
        metadata: dict[str, str] | None = values.pop("request_metadata", None)
        self.add(
            raw.INVOCATIONS,
            **_scope_of(values),
            usage_date=ts.date(),
            request_id=request_id,
            ts=ts,
            operation=values.pop("operation", "Converse"),
            logged_model_id=values.pop("logged_model_id", model_id),
            profile_id=model_id,
            principal_arn=values.pop("principal_arn", f"arn:aws:sts::{ACCOUNT}:assumed-role/Reader/session"),
            request_metadata=None if metadata is None else list(metadata.items()),
            **values,
        )
        return request_id

    def price(
        self,
        model_id: str,
        token_kind: str,
        usd_per_million: str,
        *,
        endpoint_type: str = "on_demand",
        region: str = "*",
        service_tier: str = "default",
        context_threshold: int | None = None,
        valid_from: datetime = datetime(2023, 9, 28),
        valid_to: datetime | None = None,
    ) -> None:
        """A list price; one with a threshold is of the band `long`."""
        self.add(
            raw.MODEL_PRICES,
            model_id=model_id,
            endpoint_type=endpoint_type,
            region=region,
            service_tier=service_tier,
            context_band="long" if context_threshold else "standard",
            context_threshold=context_threshold,
            token_kind=token_kind,
            usd_per_million=Decimal(usd_per_million),
            valid_from=valid_from,
            valid_to=valid_to,
            source="list",
        )

    def override(
        self,
        pattern: str,
        usd_per_million: str | None = None,
        *,
        discount: str | None = None,
        endpoint_type: str = "*",
        token_kind: str = "*",
        valid_from: datetime = datetime(2023, 9, 28),
        valid_to: datetime | None = None,
    ) -> None:
        """An agreed price or a discount in percent."""
        self.add(
            raw.PRICE_OVERRIDES,
            model_pattern=pattern,
            endpoint_type=endpoint_type,
            token_kind=token_kind,
            usd_per_million=Decimal(usd_per_million) if usd_per_million is not None else None,
            discount_percent=Decimal(discount) if discount is not None else None,
            valid_from=valid_from,
            valid_to=valid_to,
            entered_by="finance",
        )

    def application_rule(
        self, subject: str, pattern: str, application: str | None = None, key: str | None = None
    ) -> None:
        """The next rule, by the order of calls."""
        position = len(self._rows.get(raw.APPLICATION_RULES.qualified_name, [])) + 1
        values = {"position": position, "subject": subject, "key": key, "pattern": pattern, "application": application}
        self.add(raw.APPLICATION_RULES, **values)

    def logging(self, is_on: bool, snapshot: date = DAY, **values: Any) -> None:
        """What AWS said on a day about where invocation logs go."""
        self.add(
            raw.LOG_DELIVERY,
            **_scope_of(values),
            snapshot_date=snapshot,
            is_on=is_on,
            text_is_delivered=is_on,
            source="aws",
            **values,
        )

    def forget(self, table: raw.StoredTable) -> None:
        """Take the waiting rows of a table back, to say them anew."""
        self._rows.pop(table.qualified_name, None)

    # Building and reading

    def write(self) -> None:
        """Write the waiting rows: the first of a table as they are, later ones as the pipeline replaces rows."""
        self._make_tables(self._rows.keys())
        self._write_first({name: rows for name, rows in self._rows.items() if name not in self._filled})
        for name, rows in self._rows.items():
            if name in self._filled:
                self._replace(raw.STORED_TABLES[name], rows)
        self._filled |= self._rows.keys()
        self._rows = {name: rows for name, rows in self._rows.items() if not raw.STORED_TABLES[name].day_column}

    def _make_tables(self, names: Collection[str]) -> None:
        if missing := set(names) - self._tables:
            make_tables(self.con, missing)
            self._tables |= missing

    def _write_first(self, rows_by_table: Mapping[str, list[dict[str, Any]]]) -> None:
        """Into tables without a row, in one transaction: there is nothing to compare them with and to delete."""
        with transaction(self.con):
            for name, rows in rows_by_table.items():
                table = raw.STORED_TABLES[name]
                with registered(self.con, rows=pa.Table.from_pylist(rows, schema=arrow_schema(table))):
                    self.con.execute(f"insert into {name} by name select * from rows")
                if table.day_column:
                    note_changed_days(self.con, name, {row[table.day_column] for row in rows})

    def _replace(self, table: raw.StoredTable, rows: list[dict[str, Any]]) -> None:
        """Whole tables, days, or series."""
        arrow = pa.Table.from_pylist(rows, schema=arrow_schema(table))
        if table is raw.SOURCE_STATUS:
            record_source_status(self.con, arrow)
        elif table in (raw.CLOUDWATCH_METRICS, raw.MAX_TOKENS_METRIC):
            replace_series(self.con, table, arrow, _days_of_series(rows))
        elif table is raw.BILL:
            replace_months(self.con, arrow)
        elif table.day_column:
            days = {row[table.day_column] for row in rows}
            replace_days(self.con, table, arrow, days, {(row["account_id"], row["region"]) for row in rows})
        else:
            replace_all(self.con, table, arrow)

    def build(self, *wanted: str) -> list[BuiltModel]:
        """Bring these models, or else those the store was made for, up to date with what they read."""
        return self.build_only(names_to_build(frozenset(wanted or self._wanted)))

    def build_only(self, names: Collection[str]) -> list[BuiltModel]:
        """Build the models of these names and nothing that they read."""
        self._make_tables(stored_tables_of(frozenset(names)))
        self.write()
        return build(self.con, MODELS, names)

    def build_from(self, folder: Path) -> list[BuiltModel]:
        """Build all models of a folder, which are then the warehouse's models."""
        self.write()
        return build(self.con, load_models(folder))

    def rows(self, sql: str, *parameters: Any) -> list[tuple[Any, ...]]:
        return self.con.execute(sql, list(parameters)).fetchall()

    def row(self, sql: str, *parameters: Any) -> tuple[Any, ...]:
        (found,) = self.rows(sql, *parameters)
        return found

    def one(self, sql: str, *parameters: Any) -> Any:
        (value,) = self.row(sql, *parameters)
        return value


def _scope_of(values: dict[str, Any]) -> dict[str, Any]:
    return {"account_id": values.pop("account_id", ACCOUNT), "region": values.pop("region", REGION)}


def _days_of_series(rows: list[dict[str, Any]]) -> list[SeriesWindow]:
    """The UTC day of every ModelId in the rows: what a test wrote for it is all there was."""
    days = {(row["account_id"], row["region"], row["model_id"], row["usage_date"]) for row in rows}
    return [
        SeriesWindow(
            account_id,
            region,
            (model_id,),
            datetime(day.year, day.month, day.day),
            datetime(day.year, day.month, day.day) + timedelta(days=1),
        )
        for account_id, region, model_id, day in days
    ]
