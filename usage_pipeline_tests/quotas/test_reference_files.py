"""The reference files hold what AWS documents, match exactly the models meant, and refuse what is not allowed."""

from datetime import date
from functools import cache
from pathlib import Path

import duckdb
import pytest

from usage_pipeline.quotas.model_names import parse_model_label
from usage_pipeline.raw_tables import BURNDOWN_RATES, ENDPOINT_PREFIXES, MODEL_LIMITS, StoredTable
from usage_pipeline.reference import (
    BurndownRate,
    ModelLimit,
    QuotaLabel,
    ReferenceDataError,
    burndown_rates,
    endpoint_prefixes,
    model_limits,
    quota_labels,
    read_rows,
    reference_path,
    refuse_overlaps,
)
from usage_pipeline_tests.empty_warehouse import in_memory
from usage_pipeline_tests.quotas.catalogue import known_models

MODELS = known_models()
TODAY = date(2026, 11, 15)

LONGEST_RATE = """
    select rate, basis
    from read_csv($path, header = true)
    where $model_id glob model_pattern and $day between valid_from and coalesce(valid_to, date '9999-12-31')
    qualify row_number() over (order by length(model_pattern) desc) = 1
"""
LONGEST_LIMIT = """
    select max_output_tokens
    from read_csv($path, header = true)
    where $model_id glob model_pattern
    qualify row_number() over (order by length(model_pattern) desc) = 1
"""


@cache
def files() -> duckdb.DuckDBPyConnection:
    """A database that only reads files, opened once: opening one takes longer than each question."""
    return in_memory()


def burndown(model_id: str, day: date = TODAY) -> tuple[float, str] | None:
    values = {"path": str(reference_path("burndown_rates")), "model_id": model_id, "day": day}
    return files().execute(LONGEST_RATE, values).fetchone()


def limit(model_id: str) -> int | None:
    path = str(reference_path("model_limits"))
    row = files().execute(LONGEST_LIMIT, {"path": path, "model_id": model_id}).fetchone()
    return None if row is None else row[0]


@pytest.mark.parametrize(
    ("model_id", "rate", "basis"),
    [
        ("amazon.nova-lite-v1:0", 1, "documented"),
        ("meta.llama4-scout-17b-instruct-v1:0", 1, "documented"),
        ("imported-model/abc123def456", 1, "documented"),
        ("anthropic.claude-v2:1", 5, "assumed"),
        ("anthropic.claude-instant-v1", 5, "assumed"),
        ("anthropic.claude-3-haiku-20240307-v1:0", 5, "assumed"),
        ("anthropic.claude-3-5-sonnet-20241022-v2:0", 5, "assumed"),
        ("anthropic.claude-3-7-sonnet-20250219-v1:0", 5, "documented"),
        ("anthropic.claude-sonnet-4-20250514-v1:0", 5, "documented"),
        ("anthropic.claude-sonnet-4-20250514-v1:0:200k", 5, "documented"),
        ("anthropic.claude-opus-4-20250514-v1:0", 5, "documented"),
        ("anthropic.claude-opus-4-1-20250805-v1:0", 5, "documented"),
        ("anthropic.claude-sonnet-4-5-20250929-v1:0", 5, "documented"),
        ("anthropic.claude-haiku-4-5-20251001-v1:0", 5, "documented"),
        ("anthropic.claude-opus-4-6-v1", 5, "documented"),
        ("anthropic.claude-sonnet-4-6", 5, "documented"),
        ("anthropic.claude-opus-4-7", 5, "documented"),
        ("anthropic.claude-opus-4-8", 15, "documented"),
        ("anthropic.claude-opus-4-8-20260601-v1:0", 15, "documented"),
        ("anthropic.claude-opus-4-9", 10, "assumed"),
        ("anthropic.claude-opus-4-10", 10, "assumed"),
        ("anthropic.claude-sonnet-4-18", 10, "assumed"),
        ("anthropic.claude-sonnet-4-80", 10, "assumed"),
        ("anthropic.claude-sonnet-5", 10, "documented"),
        ("anthropic.claude-sonnet-5-20260601-v1:0", 10, "documented"),
        ("anthropic.claude-sonnet-5-v1:0", 10, "documented"),
        ("anthropic.claude-sonnet-5-5", 10, "assumed"),
        ("anthropic.claude-sonnet-5-2", 10, "assumed"),
        ("anthropic.claude-sonnet-50", 10, "assumed"),
        ("anthropic.claude-haiku-5", 10, "assumed"),
        ("anthropic.claude-haiku-5-5", 10, "assumed"),
        ("anthropic.claude-opus-5", 10, "documented"),
        ("anthropic.claude-opus-5-5", 10, "documented"),
        ("anthropic.claude-opus-5-6", 10, "assumed"),
        ("anthropic.claude-fable-5", 10, "assumed"),
        ("anthropic.claude-fable-5-1", 10, "documented"),
        ("anthropic.claude-fable-5-10", 10, "assumed"),
        ("anthropic.claude-fable-5-2", 10, "assumed"),
        ("anthropic.claude-mythos-5", 10, "assumed"),
        ("openai.gpt-oss-120b-1:0", 1, "documented"),
        ("openai.gpt-oss-safeguard-20b", 1, "documented"),
        ("openai.gpt-5.4", 1, "documented"),
        ("openai.gpt-5.6-sol", 10, "documented"),
        ("openai.gpt-5.6-luna", 10, "documented"),
        ("openai.gpt-6-astra", 10, "assumed"),
        ("openai.gpt-6.1-sol", 10, "assumed"),
    ],
)
def test_the_rate_of_each_model_in_autumn_2026(model_id: str, rate: float, basis: str) -> None:
    assert burndown(model_id) == (rate, basis)


@pytest.mark.parametrize(
    ("model_id", "day", "rate", "basis"),
    [
        ("anthropic.claude-3-7-sonnet-20250219-v1:0", date(2025, 7, 31), 1, "documented"),
        ("anthropic.claude-3-7-sonnet-20250219-v1:0", date(2025, 8, 1), 5, "documented"),
        ("anthropic.claude-3-haiku-20240307-v1:0", date(2026, 6, 30), 1, "documented"),
        ("anthropic.claude-3-haiku-20240307-v1:0", date(2026, 7, 1), 5, "assumed"),
        ("anthropic.claude-sonnet-4-20250514-v1:0", date(2025, 5, 22), 5, "documented"),
    ],
)
def test_a_rate_changes_on_its_day(model_id: str, day: date, rate: float, basis: str) -> None:
    assert burndown(model_id, day) == (rate, basis)


def test_every_model_has_exactly_one_longest_match_a_day() -> None:
    with duckdb.connect() as con:
        con.execute("create table models as select unnest($ids) as model_id", {"ids": [one.model_id for one in MODELS]})
        ties = con.execute(
            """
            select model_id, list(model_pattern)
            from (
                from models
                join read_csv($path, header = true)
                    on model_id glob model_pattern
                    and $day between valid_from and coalesce(valid_to, date '9999-12-31')
                qualify rank() over (partition by model_id order by length(model_pattern) desc) = 1
            )
            group by model_id
            having count(*) > 1
            """,
            {"path": str(reference_path("burndown_rates")), "day": TODAY},
        ).fetchall()
    assert ties == []


@pytest.mark.parametrize(
    ("model_id", "tokens"),
    [
        ("amazon.nova-lite-v1:0", 5120),
        ("amazon.nova-2-lite-v1:0", 65536),
        ("amazon.nova-premier-v1:0", 25600),
        ("amazon.titan-embed-text-v2:0", 0),
        ("anthropic.claude-3-haiku-20240307-v1:0", 4096),
        ("anthropic.claude-3-5-haiku-20241022-v1:0", 8192),
        ("anthropic.claude-3-7-sonnet-20250219-v1:0", 65536),
        ("anthropic.claude-opus-4-20250514-v1:0", 32768),
        ("anthropic.claude-opus-4-1-20250805-v1:0", 32768),
        ("anthropic.claude-opus-4-5-20251101-v1:0", 65536),
        ("anthropic.claude-opus-4-6-v1", 131072),
        ("anthropic.claude-opus-4-7", 131072),
        ("anthropic.claude-opus-4-10", None),
        ("anthropic.claude-opus-4-8", None),
        ("anthropic.claude-sonnet-5", None),
        ("meta.llama3-1-70b-instruct-v1:0", None),
    ],
)
def test_the_most_output_tokens_of_a_request_where_they_are_known(model_id: str, tokens: int | None) -> None:
    assert limit(model_id) == tokens


def test_prefixes_lead_to_geo_or_global_endpoints() -> None:
    assert {row.prefix: row.endpoint_type for row in endpoint_prefixes()} == {
        "us": "geo",
        "eu": "geo",
        "apac": "geo",
        "jp": "geo",
        "au": "geo",
        "ca": "geo",
        "in": "geo",
        "us-gov": "geo",
        "global": "global",
    }


@pytest.mark.parametrize("table", [BURNDOWN_RATES, MODEL_LIMITS, ENDPOINT_PREFIXES], ids=lambda table: table.name)
def test_a_reference_file_has_the_columns_of_its_table(table: StoredTable) -> None:
    header = reference_path(table.name).read_text(encoding="utf-8").splitlines()[0]
    assert header.split(",") == [column.name for column in table.columns]


def test_every_shipped_file_is_read() -> None:
    assert all((burndown_rates(), model_limits(), endpoint_prefixes(), quota_labels()))


def test_a_listed_label_names_one_model_unless_it_is_shared() -> None:
    by_label: dict[object, list[QuotaLabel]] = {}
    for row in quota_labels():
        by_label.setdefault(parse_model_label(row.quota_label), []).append(row)
    several = {label: rows for label, rows in by_label.items() if len(rows) > 1}
    assert all(row.shared for rows in several.values() for row in rows)
    assert all(len(by_label[parse_model_label(row.quota_label)]) > 1 for row in quota_labels() if row.shared)


RATES_HEADER = "model_pattern,rate,valid_from,valid_to,basis,source\n"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            RATES_HEADER + "*,1,2026-01-01,,documented,a page\nacme.*,ten,2026-01-01,,documented,a page\n",
            "rates.csv, line 3, column rate: read 'ten'; allowed is quota tokens per output token, above 0.",
        ),
        (
            RATES_HEADER + "*,-1,2026-01-01,,documented,a page\n",
            "rates.csv, line 2, column rate: read '-1'; allowed is quota tokens per output token, above 0.",
        ),
        (
            RATES_HEADER + "*,1,01.02.2026,,documented,a page\n",
            "rates.csv, line 2, column valid_from: read '01.02.2026'; allowed is a UTC day written as YYYY-MM-DD.",
        ),
        (
            RATES_HEADER + "*,1,2026-01-01,,guessed,a page\n",
            "rates.csv, line 2, column basis: read 'guessed'; allowed is documented or assumed.",
        ),
        (
            RATES_HEADER + "*,1,2026-01-01,,documented,\n",
            "rates.csv, line 2, column source: read ''; allowed is a text that is not empty.",
        ),
        (
            RATES_HEADER + "*,1,2026-01-01\n",
            "rates.csv, line 2: read 3 values; allowed are 6: model_pattern, rate, valid_from, valid_to, basis,"
            " source.",
        ),
        (
            RATES_HEADER + "*,1,2026-01-01,,documented,a page\n*,2,2026-01-01,,documented,a page\n",
            "rates.csv, line 3: * | 2026-01-01 was given on line 2 already.",
        ),
        (
            "pattern,rate\n",
            "rates.csv, line 1: read the columns pattern, rate; allowed are model_pattern, rate, valid_from, valid_to,"
            " basis, source, in this order.",
        ),
        (
            "",
            "rates.csv, line 1: read the columns (none); allowed are model_pattern, rate, valid_from, valid_to, basis,"
            " source, in this order.",
        ),
    ],
)
def test_an_error_names_file_line_column_and_what_is_allowed(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "rates.csv"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ReferenceDataError) as error:
        read_rows(path, BurndownRate)
    assert str(error.value) == message


def test_a_limit_of_part_of_a_token_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "model_limits.csv"
    path.write_text("model_pattern,max_output_tokens,source\nacme.*,4096.5,a page\n", encoding="utf-8")
    with pytest.raises(
        ReferenceDataError, match=r"line 2, column max_output_tokens: read '4096.5'; allowed is a whole"
    ):
        read_rows(path, ModelLimit)


def rate(pattern: str, valid_from: date, valid_to: date | None) -> BurndownRate:
    return BurndownRate(
        model_pattern=pattern, rate=5, valid_from=valid_from, valid_to=valid_to, basis="documented", source="a page"
    )


@pytest.mark.parametrize(
    ("rates", "message"),
    [
        (
            [rate("acme.*", date(2026, 1, 1), None), rate("acme.*", date(2026, 3, 1), None)],
            "rates.csv, pattern acme.*: the row from 2026-01-01 must end (valid_to) before the row from 2026-03-01"
            " starts.",
        ),
        (
            [rate("acme.*", date(2026, 1, 1), date(2025, 12, 31))],
            "rates.csv, pattern acme.*: valid_to 2025-12-31 is before valid_from 2026-01-01.",
        ),
    ],
)
def test_a_model_never_has_two_rates_on_one_day(rates: list[BurndownRate], message: str) -> None:
    with pytest.raises(ReferenceDataError) as error:
        refuse_overlaps(Path("rates.csv"), rates)
    assert str(error.value) == message


def test_an_unknown_reference_file_is_named_with_those_there_are() -> None:
    with pytest.raises(ReferenceDataError, match=r"'prices'\. There are: burndown_rates, model_limits"):
        reference_path("prices")
