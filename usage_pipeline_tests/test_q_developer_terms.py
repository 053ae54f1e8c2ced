"""The terms by which use of Amazon Q Developer and Kiro is judged: the dated files, the configuration, their tables."""

import datetime as dt
import os
from decimal import Decimal
from pathlib import Path
from typing import get_args

import dagster as dg
import duckdb
import pytest

from usage_pipeline.assets.raw_q_developer_terms import raw_q_developer_terms, term_rows
from usage_pipeline.config import ConfigurationError, Settings, load_settings
from usage_pipeline.q_developer.activity_rows import ACTIVITY_SCHEMA
from usage_pipeline.reference import (
    QDeveloperTerm,
    QDeveloperTermName,
    ReferenceDataError,
    TokenEstimate,
    q_developer_terms,
    q_developer_token_estimates,
    read_rows,
)
from usage_pipeline.warehouse import Warehouse
from usage_pipeline_tests.pipeline_runs import instance_in_memory

ONE_ACCOUNT = "accounts:\n  - name: production\n    regions: [us-east-1]\n"
HEADER = "term,product,subscription_tier,value,valid_from,valid_to,source\n"


@pytest.fixture(autouse=True)
def no_settings_in_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in list(os.environ):
        if variable.startswith("USAGE_PIPELINE_"):
            monkeypatch.delenv(variable)


def settings_of(folder: Path, terms: str) -> Settings:
    path = folder / "usage_pipeline.yaml"
    path.write_text(ONE_ACCOUNT + terms, encoding="utf-8")
    return load_settings(path)


def test_every_term_but_seats_has_a_dated_default_with_a_source() -> None:
    rows = q_developer_terms()

    assert {row.term for row in rows} == set(get_args(QDeveloperTermName)) - {"seats"}
    defaults = {(row.term, row.product): row.value for row in rows if row.subscription_tier == "*"}
    assert defaults["dev_runs_per_month", "q_developer"] == 30
    assert defaults["transformation_lines_per_month", "q_developer"] == 4000
    assert defaults["context_window_tokens", "*"] == 200_000


def test_every_estimate_is_of_a_metric_that_reports_have_and_in_order() -> None:
    rows = q_developer_token_estimates()

    assert {row.metric for row in rows} <= set(ACTIVITY_SCHEMA.names)
    assert [row.metric for row in rows if not row.input_low <= row.input_mean <= row.input_high] == []
    assert [row.metric for row in rows if not row.output_low <= row.output_mean <= row.output_high] == []


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (
            "usd_per_seat,kiro,*,-1,2026-01-01,,test",
            "terms.csv, line 2, column value: read '-1'; allowed is a number, 0 or more, of up to six decimals.",
        ),
        (
            "seat,kiro,*,1,2026-01-01,,test",
            "terms.csv, line 2, column term: read 'seat'; allowed is the name of a term.",
        ),
        (
            "seats,q,*,1,2026-01-01,,test",
            "terms.csv, line 2, column product: read 'q'; allowed is q_developer, kiro or *.",
        ),
    ],
)
def test_a_wrong_line_is_told_with_what_is_allowed(tmp_path: Path, line: str, expected: str) -> None:
    path = tmp_path / "terms.csv"
    path.write_text(f"{HEADER}{line}\n", encoding="utf-8")

    with pytest.raises(ReferenceDataError) as caught:
        read_rows(path, QDeveloperTerm)

    assert str(caught.value) == expected


def test_a_metric_without_an_estimate_of_its_own_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "estimates.csv"
    path.write_text(f"{','.join(TokenEstimate.model_fields)}\nlines,1,2,3,1,2,3,2026-01-01,,test\n", encoding="utf-8")

    with pytest.raises(
        ReferenceDataError, match=r"line 2, column metric: read 'lines'; allowed is a metric from which"
    ):
        read_rows(path, TokenEstimate)


def test_terms_of_the_configuration_come_with_those_of_the_file(tmp_path: Path) -> None:
    settings = settings_of(
        tmp_path, "q_developer_terms:\n  - {term: seats, value: 25, product: q_developer, account: production}\n"
    )

    rows = term_rows(q_developer_terms()[:1], settings.q_developer_terms)

    assert [(row["term"], row["value"], row["account_name"], row["is_configured"]) for row in rows] == [
        ("dev_runs_per_month", 30, "*", False),
        ("seats", Decimal(25), "production", True),
    ]
    assert (rows[1]["valid_from"], rows[1]["valid_to"], rows[1]["source"]) == (
        dt.date(2024, 4, 30),
        None,
        "configuration",
    )


@pytest.mark.parametrize(
    ("terms", "expected"),
    [
        (
            "  - {term: seats, value: 25, account: prod}\n",
            "q_developer_terms: seats names the account 'prod'; allowed: * or a configured account: production.",
        ),
        ("  - {term: seats, value: -2}\n", "q_developer_terms[0].value"),
        ("  - {term: seat, value: 2}\n", "q_developer_terms[0].term"),
        ("  - {term: seats, valu: 2}\n", "did you mean 'value'?"),
        (
            "  - {term: seats, value: 2, valid_from: 2026-02-01, valid_to: 2026-01-01}\n",
            "read valid_to 2026-01-01; allowed: 2026-02-01 (valid_from) or a later day.",
        ),
    ],
)
def test_a_wrong_term_is_told_with_its_place(tmp_path: Path, terms: str, expected: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        settings_of(tmp_path, f"q_developer_terms:\n{terms}")

    assert expected in str(caught.value)
    assert "usage_pipeline.yaml, line" in str(caught.value)


def test_both_tables_are_written_in_one_step(tmp_path: Path) -> None:
    settings = settings_of(tmp_path, "q_developer_terms: [{term: usd_per_seat, value: 17.10}]\n")
    resources = {"settings": settings, "warehouse": Warehouse(database=str(settings.warehouse_file))}

    result = dg.materialize([raw_q_developer_terms], resources=resources, instance=instance_in_memory())

    assert result.success
    with duckdb.connect(str(settings.warehouse_file), read_only=True) as con:
        configured = con.execute("select term, value from raw.q_developer_terms where is_configured").fetchall()
        (estimates,) = con.execute("select count(*) from raw.q_developer_token_estimates").fetchall()
    assert configured == [("usd_per_seat", Decimal("17.10"))]
    assert estimates == (len(q_developer_token_estimates()),)
