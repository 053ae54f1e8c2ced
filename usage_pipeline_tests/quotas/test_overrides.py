"""People's decisions and the index that they review: one format, read strictly."""

from pathlib import Path
from typing import Any

import pytest

from usage_pipeline.quotas.overrides import index_text, read_overrides
from usage_pipeline.reference import ReferenceDataError

HEADER = "model,endpoint,quota_type,quota_code,quota_name,method"
SCOPED = f"{HEADER},account,region"
ROW = "amazon.nova-lite-v1:0,geo,tpm,L-7C42E72A,Nova,override"


def written(folder: Path, *lines: str) -> Path:
    path = folder / "quota_overrides.csv"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def test_rows_hold_everywhere_or_for_an_account_or_region(tmp_path: Path) -> None:
    rows = read_overrides(written(tmp_path, SCOPED, f"{ROW},111122223333,us-east-1", f"{ROW},,eu-west-1", f"{ROW},,"))

    assert [row.scope for row in rows] == [("111122223333", "us-east-1"), (None, "eu-west-1"), (None, None)]
    assert {(row.model, row.endpoint, row.quota_type, row.quota_code) for row in rows} == {
        ("amazon.nova-lite-v1:0", "geo", "tpm", "L-7C42E72A")
    }


def test_without_the_columns_of_a_scope_rows_hold_everywhere(tmp_path: Path) -> None:
    assert [row.scope for row in read_overrides(written(tmp_path, HEADER, ROW))] == [(None, None)]


def test_an_empty_code_says_no_quota_unless_the_row_is_still_open(tmp_path: Path) -> None:
    lines = [f"amazon.nova-lite-v1:0,geo,{kind},,,{method}" for kind, method in _EMPTY_CODES]

    rows = read_overrides(written(tmp_path, HEADER, *lines))

    assert [(row.quota_type, row.quota_code) for row in rows] == [("tpm", None), ("rpm", None), ("tpd", None)]


_EMPTY_CODES = [("tpm", "override"), ("rpm", "none"), ("tpd", ""), ("concurrency", "unmapped")]


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        (
            [HEADER, "amazon.nova-lite-v1:0,us,tpm,L-7C42E72A,,rule"],
            "quota_overrides.csv, line 2, column endpoint: read 'us'; allowed is on_demand, geo, global or"
            " custom_deployment.",
        ),
        (
            [HEADER, ROW, "amazon.nova-lite-v1:0,geo,tokens,L-7C42E72A,,rule"],
            "quota_overrides.csv, line 3, column quota_type: read 'tokens'; allowed is tpm, rpm, tpd or concurrency.",
        ),
        (
            [HEADER, "amazon.nova-lite-v1:0,geo,tpm,7C42E72A,,rule"],
            "quota_overrides.csv, line 2, column quota_code: read '7C42E72A'; allowed is a quota code such as"
            " L-F4DDD3EB, or nothing where AWS has no such quota.",
        ),
        (
            [HEADER, "amazon.nova-lite-v1:0,geo,tpm,L-7C42E72A,,guess"],
            "quota_overrides.csv, line 2, column method: read 'guess'; allowed is rule, llm, override, none, unmapped"
            " or nothing.",
        ),
        (
            [HEADER, ",geo,tpm,L-7C42E72A,,rule"],
            "quota_overrides.csv, line 2, column model: read ''; allowed is a text that is not empty.",
        ),
        (
            [SCOPED, f"{ROW},production,us-east-1"],
            "quota_overrides.csv, line 2, column account: read 'production'; allowed is a twelve-digit account id, or"
            " nothing for every account.",
        ),
        (
            [SCOPED, f"{ROW},111122223333,us-esat-1"],
            "quota_overrides.csv, line 2, column region: read 'us-esat-1'; allowed is a Region code such as us-east-1,"
            " or nothing for every Region.",
        ),
        (
            [HEADER, ROW, ROW],
            "quota_overrides.csv, line 3: amazon.nova-lite-v1:0 | geo | tpm | every account | every Region was given on"
            " line 2 already.",
        ),
        (
            ["model,endpoint,quota_type,code", ROW],
            "quota_overrides.csv, line 1: read the columns model, endpoint, quota_type, code; allowed are model,"
            " endpoint, quota_type, quota_code, quota_name, method, in this order.",
        ),
        (
            [f"{HEADER},region", f"{ROW},us-east-1"],
            f"quota_overrides.csv, line 1: read the columns {HEADER.replace(',', ', ')}, region; allowed are"
            f" {SCOPED.replace(',', ', ')}, in this order.",
        ),
        (
            [HEADER, f"{ROW},111122223333"],
            f"quota_overrides.csv, line 2: read 7 values; allowed are 6: {HEADER.replace(',', ', ')}.",
        ),
    ],
)
def test_a_wrong_file_is_told_with_line_column_value_and_what_is_allowed(
    tmp_path: Path, lines: list[str], expected: str
) -> None:
    with pytest.raises(ReferenceDataError) as caught:
        read_overrides(written(tmp_path, *lines))
    assert str(caught.value) == expected


def test_a_file_that_is_no_text_is_told(tmp_path: Path) -> None:
    path = tmp_path / "quota_overrides.csv"
    path.write_bytes(b"\xff\xfe\x00model")

    with pytest.raises(ReferenceDataError, match=r"quota_overrides.csv cannot be read as a CSV file in UTF-8"):
        read_overrides(path)


def mapping(
    region: str, code: str | None, method: str = "rule", status: str = "mapped", **values: Any
) -> dict[str, Any]:
    return {
        "account_id": "111122223333",
        "region": region,
        "model_id": "amazon.nova-lite-v1:0",
        "endpoint_type": "geo",
        "quota_kind": "tpm",
        "quota_code": code,
        "quota_name": code and "Nova, Lite",
        "method": method,
        "status": status,
        **values,
    }


def test_the_index_has_one_row_where_all_scopes_agree() -> None:
    mappings = [mapping("us-east-1", "L-7C42E72A"), mapping("eu-west-1", "L-7C42E72A")]

    assert index_text(mappings) == f'{HEADER}\namazon.nova-lite-v1:0,geo,tpm,L-7C42E72A,"Nova, Lite",rule\n'


def test_the_index_has_a_row_for_each_scope_where_they_differ() -> None:
    mappings = [
        mapping("us-east-1", "L-7C42E72A"),
        mapping("eu-west-1", None, "none", "unmapped"),
        mapping("eu-west-3", None, "none", "no_quota"),
    ]

    assert index_text(mappings).splitlines() == [
        SCOPED,
        "amazon.nova-lite-v1:0,geo,tpm,,,unmapped,111122223333,eu-west-1",
        'amazon.nova-lite-v1:0,geo,tpm,L-7C42E72A,"Nova, Lite",rule,111122223333,us-east-1',
    ]


def test_the_index_has_what_people_and_models_decided_and_not_what_rules_find_absent() -> None:
    kinds = ("tpm", "rpm", "tpd")
    decided = [
        mapping("us-east-1", "L-7C42E72A", "llm", quota_kind=kinds[0]),
        mapping("us-east-1", None, "override", "no_quota", quota_kind=kinds[1]),
        mapping("us-east-1", None, "none", "no_quota", quota_kind=kinds[2]),
    ]

    assert index_text(decided).splitlines()[1:] == [
        "amazon.nova-lite-v1:0,geo,rpm,,,override",
        'amazon.nova-lite-v1:0,geo,tpm,L-7C42E72A,"Nova, Lite",llm',
    ]
