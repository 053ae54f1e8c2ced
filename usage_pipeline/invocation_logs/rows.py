"""Decoded records to Arrow rows of `raw.invocations`.

Here: one expression per column. Not here: what bodies say (`body_facts.py`).
"""

from collections.abc import Sequence
from itertools import accumulate
from typing import Any

import pyarrow as pa

from usage_pipeline.invocation_logs.body_facts import NO_FACTS, BodyFacts, body_facts
from usage_pipeline.invocation_logs.model_ids import profile_id
from usage_pipeline.invocation_logs.records import Identity, Input, LogRecord, Output
from usage_pipeline.log_files.coercion import LARGEST_COUNT

_TEXT = pa.string()
_COUNT = pa.int64()

INVOCATION_SCHEMA = pa.schema(
    {
        "usage_date": pa.date32(),
        "account_id": _TEXT,
        "region": _TEXT,
        "request_id": _TEXT,
        "ts": pa.timestamp("us"),
        "operation": _TEXT,
        "logged_model_id": _TEXT,
        "profile_id": _TEXT,
        "inference_region": _TEXT,
        "principal_arn": _TEXT,
        "request_metadata": pa.map_(_TEXT, _TEXT),
        "error_code": _TEXT,
        "input_tokens": _COUNT,
        "output_tokens": _COUNT,
        "cache_read_tokens": _COUNT,
        "cache_write_tokens": _COUNT,
        "cache_write_5m_tokens": _COUNT,
        "cache_write_1h_tokens": _COUNT,
        "output_images": _COUNT,
        "max_tokens": _COUNT,
        "stop_reason": _TEXT,
        "latency_ms": pa.float64(),
        "ttft_ms": pa.float64(),
        "service_tier": _TEXT,
    }
)
"""The columns of `raw.invocations`, in order."""

_NO_INPUT = Input()
_NO_OUTPUT = Output()
_NOBODY = Identity()


def invocation_rows(records: Sequence[LogRecord]) -> pa.Table:
    """One row per record, in their order, with `INVOCATION_SCHEMA`."""
    inputs = [record.input or _NO_INPUT for record in records]
    outputs = [record.output or _NO_OUTPUT for record in records]
    times = pa.array([record.timestamp for record in records], pa.timestamp("us", "UTC")).cast(pa.timestamp("us"))
    model_ids = pa.array([record.model_id for record in records], _TEXT)
    columns: dict[str, pa.Array[Any]] = {
        "usage_date": times.cast(pa.date32(), safe=False),
        "account_id": pa.array([record.account_id for record in records], _TEXT),
        "region": pa.array([record.region for record in records], _TEXT),
        "request_id": pa.array([record.request_id for record in records], _TEXT),
        "ts": times,
        "operation": pa.array([record.operation for record in records], _TEXT),
        "logged_model_id": model_ids,
        "profile_id": _profile_ids(model_ids),
        "inference_region": pa.array([record.inference_region for record in records], _TEXT),
        "principal_arn": pa.array([(record.identity or _NOBODY).arn for record in records], _TEXT),
        "request_metadata": _request_metadata(records),
        "error_code": pa.array([record.error_code for record in records], _TEXT),
        "input_tokens": pa.array([part.tokens for part in inputs], _COUNT),
        "output_tokens": pa.array([part.tokens for part in outputs], _COUNT),
        "cache_read_tokens": pa.array([part.cache_read_tokens for part in inputs], _COUNT),
        "output_images": pa.array([part.images for part in outputs], _COUNT),
        **_fact_columns(records, [part.cache_write_tokens for part in inputs]),
    }
    return pa.table([columns[name] for name in INVOCATION_SCHEMA.names], schema=INVOCATION_SCHEMA)


def _profile_ids(model_ids: pa.StringArray) -> "pa.Array[Any]":
    """Few models have many calls, so each spelling is normalised once."""
    encoded = model_ids.dictionary_encode()
    normalised = pa.array([profile_id(str(model_id)) for model_id in encoded.dictionary.to_pylist()], _TEXT)
    return normalised.take(encoded.indices)


def _request_metadata(records: Sequence[LogRecord]) -> "pa.Array[Any]":
    metadata = [record.request_metadata or None for record in records]
    filled = [pairs for pairs in metadata if pairs is not None]
    if not filled:
        return pa.nulls(len(metadata), INVOCATION_SCHEMA.field("request_metadata").type)
    ends = list(accumulate([0 if pairs is None else len(pairs) for pairs in metadata], initial=0))
    offsets = [None if pairs is None else begin for pairs, begin in zip(metadata, ends, strict=False)]
    return pa.MapArray.from_arrays(
        pa.array([*offsets, ends[-1]], pa.int32()),  # pyright: ignore[reportArgumentType] - the stubs say 64 bits
        pa.array([key for pairs in filled for key in pairs], _TEXT),
        pa.array([value for pairs in filled for value in pairs.values()], _TEXT),
    )


def _fact_columns(records: Sequence[LogRecord], totals: list[int | None]) -> "dict[str, pa.Array[Any]]":
    """The columns that bodies fill, and the total of cache writes.

    A split that does not add up to the record's own total is not believed; without a total, the split's sum is it.
    """
    facts = [body_facts(record) for record in records]
    if facts.count(NO_FACTS) == len(facts):
        empty = {name: pa.nulls(len(facts), INVOCATION_SCHEMA.field(name).type) for name in BodyFacts._fields}
        return {**empty, "cache_write_tokens": pa.array(totals, _COUNT)}
    columns: dict[str, list[Any]] = {
        name: list(column) for name, column in zip(BodyFacts._fields, zip(*facts, strict=True), strict=True)
    }
    five_minutes, one_hour = columns["cache_write_5m_tokens"], columns["cache_write_1h_tokens"]
    for row, short in enumerate(five_minutes):
        if short is None:
            continue
        both = short + one_hour[row]
        if totals[row] is None and both <= LARGEST_COUNT:
            totals[row] = both
        elif totals[row] != both:
            five_minutes[row] = one_hour[row] = None
    columns["cache_write_tokens"] = totals
    return {name: pa.array(column, INVOCATION_SCHEMA.field(name).type) for name, column in columns.items()}
