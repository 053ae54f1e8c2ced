"""Requests of a prompt log to Arrow rows of `raw.q_developer_prompts`.

Here: the columns, and what only the object's key says. Not here: what a record says (`prompt_records.py`).
"""

from collections.abc import Sequence
from typing import Any

import pyarrow as pa

from usage_pipeline.q_developer.object_keys import ObjectKey
from usage_pipeline.q_developer.prompt_records import Prompt
from usage_pipeline.q_developer.tokenizer import TokenSource

_TEXT = pa.string()
_COUNT = pa.int64()

PROMPT_SCHEMA = pa.schema(
    {
        "usage_date": pa.date32(),
        "ts": pa.timestamp("us"),
        "account_id": _TEXT,
        "region": _TEXT,
        "product": _TEXT,
        "kind": _TEXT,
        "request_id": _TEXT,
        "record_hash": _TEXT,
        "conversation_id": _TEXT,
        "user_id": _TEXT,
        "logged_user_id": _TEXT,
        "trigger_type": _TEXT,
        "model_id": _TEXT,
        "customization_arn": _TEXT,
        "input_tokens": _COUNT,
        "output_tokens": _COUNT,
        "token_source": _TEXT,
        "input_characters": _COUNT,
        "output_characters": _COUNT,
        "completion_count": _COUNT,
        "code_reference_count": _COUNT,
        "web_link_count": _COUNT,
    }
)
"""The columns of `raw.q_developer_prompts`, in order."""


def prompt_rows(prompts: Sequence[Prompt], key: ObjectKey | None, source: TokenSource) -> pa.Table:
    """One row per request, in their order, with `PROMPT_SCHEMA`; `source` is how their tokens were counted."""
    values = dict(zip(Prompt._fields, zip(*prompts, strict=True), strict=True)) if prompts else {}
    columns: dict[str, pa.Array[Any]] = {
        name: pa.array(values.get(name, ()), PROMPT_SCHEMA.field(name).type) for name in Prompt._fields
    }
    columns["usage_date"] = columns["ts"].cast(pa.date32(), safe=False)
    for name in ("account_id", "region", "product"):
        columns[name] = pa.repeat(pa.scalar(getattr(key, name) if key is not None else None, _TEXT), len(prompts))
    columns["token_source"] = pa.array(
        [None if one.input_tokens is None and one.output_tokens is None else source for one in prompts], _TEXT
    )
    return pa.table([columns[name] for name in PROMPT_SCHEMA.names], schema=PROMPT_SCHEMA)
