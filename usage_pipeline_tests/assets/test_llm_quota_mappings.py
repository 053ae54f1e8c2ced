"""Asking a model about open quotas: when, how often, what is kept of it, and what happens when it fails."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pytest
from botocore.exceptions import ClientError

from usage_pipeline.assets.llm_quota_mappings import refresh_answers, stored_rows
from usage_pipeline.assets.quota_mappings import mapping_rows
from usage_pipeline.aws.access import AwsAccess
from usage_pipeline.aws.scopes import ResolvedScopes, Scope, UnreachableAccount
from usage_pipeline.aws.sessions import AccountSession
from usage_pipeline.config import Settings
from usage_pipeline.raw_tables import QUOTA_MAPPINGS
from usage_pipeline.warehouse import Warehouse, arrow_schema, replace_all
from usage_pipeline_tests.aws.canned_aws import connect_answers, error
from usage_pipeline_tests.marts.factory import Store, at

MAGISTRAL = "mistral.magistral-small-2609-v1:0"
TPM = "On-demand model inference tokens per minute for Magistral Small"
RPM = "On-demand model inference requests per minute for Magistral Small"
TPM_14, TPM_15 = (f"L-tpm-on_demand-{version}" for version in ("1.4", "1.5"))
RPM_14 = "L-rpm-on_demand-1.4"
MAPPER = "us.anthropic.claude-haiku-4-5-20251001-v1:0"
BASE = "anthropic.claude-haiku-4-5-20251001-v1:0"
NOW = at("15T10:30")

Answer = dict[str, Any] | Exception


def choose(tpm: str = TPM_14, rpm: str = RPM_14) -> dict[str, Any]:
    given = {kind: {"quota_code": code, "evidence": "same family"} for kind, code in (("tpm", tpm), ("rpm", rpm))}
    return by_tool(given)


def by_tool(given: object) -> dict[str, Any]:
    use = {"toolUse": {"toolUseId": "t", "name": "record_quota_codes", "input": given}}
    return talk(use)


def talk(*blocks: dict[str, Any]) -> dict[str, Any]:
    return {
        "output": {"message": {"role": "assistant", "content": list(blocks)}},
        "usage": {"inputTokens": 900, "outputTokens": 100, "totalTokens": 1000},
    }


class Mapper:
    """A model that gives one answer, and every question that it was asked."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *, region: str = "us-east-1") -> None:
        self.answer: Answer = choose()
        self.calls: list[dict[str, Any]] = []
        made = AccountSession.client

        def client(session: AccountSession, service: Any, asked_region: str) -> Any:
            assert (service, asked_region) == ("bedrock-runtime", region)
            found = made(session, service, asked_region)
            connect_answers(found, {"Converse": self.reply})
            return found

        monkeypatch.setattr(AccountSession, "client", client)
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")

    def reply(self, request: dict[str, Any]) -> dict[str, Any]:
        self.calls.append(request)
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer

    @property
    def asked(self) -> list[dict[str, Any]]:
        """The message of each question."""
        return [json.loads(request["messages"][0]["content"][0]["text"]) for request in self.calls]


@pytest.fixture
def mapper(monkeypatch: pytest.MonkeyPatch) -> Mapper:
    return Mapper(monkeypatch)


def open_store(*versions: str) -> Store:
    """One model whose quotas bear another version than its name."""
    store = Store()
    store.model(MAGISTRAL, model_name="Magistral Small 2609", provider_name="Mistral AI")
    for version in versions or ("1.4", "1.5"):
        store.quota(version, "on_demand", "tpm", 300_000, name=f"{TPM} {version}", mapped=False)
    store.quota("1.4", "on_demand", "rpm", 400, name=f"{RPM} 1.4", mapped=False)
    return store


class InMemory(Warehouse):
    """A store's connection as the pipeline's warehouse."""

    def __init__(self, store: Store) -> None:
        super().__init__(database=":memory:")
        store.write()
        self._store = store

    @contextmanager
    def connect(self) -> Iterator[duckdb.DuckDBPyConnection]:
        yield self._store.con


@pytest.fixture
def warehouse() -> Warehouse:
    return InMemory(open_store())


def run(warehouse: Warehouse, *unreachable: UnreachableAccount, **options: str | None) -> dict[str, Any]:
    """Ask and map; gives the metadata of asking."""
    settings = Settings.in_folder(
        {
            "accounts": [{"name": "production", "regions": ["us-east-1"]}],
            "as_of": NOW.isoformat(),
            "quota_mapping": {"llm_model": MAPPER, **options},
        },
        Path.cwd(),
    )
    account = settings.accounts[0]
    scopes = () if unreachable else (Scope("111122223333", "production", "us-east-1", "aws"),)
    aws = AwsAccess(settings)
    aws._resolved = ResolvedScopes(scopes, unreachable, {"production": AccountSession(account)})
    metadata = refresh_answers(warehouse, aws, settings, "run-1")
    with warehouse.connect() as con:
        found = mapping_rows(con, settings.now())
        replace_all(con, QUOTA_MAPPINGS, pa.Table.from_pylist(found, schema=arrow_schema(QUOTA_MAPPINGS)))
    return metadata


def rows(warehouse: Warehouse, query: str) -> list[tuple[Any, ...]]:
    with warehouse.connect() as con:
        return con.execute(query).fetchall()


def mappings(warehouse: Warehouse) -> list[tuple[Any, ...]]:
    """(kind, code, method, status, mapper) of the model's on-demand quotas that AWS may have."""
    return rows(
        warehouse,
        """
        select quota_kind, quota_code, method, status, mapper_model_id from raw.quota_mappings
        where endpoint_type = 'on_demand' and status <> 'no_quota' order by all
        """,
    )


def verdicts(warehouse: Warehouse) -> list[tuple[Any, ...]]:
    """(kind, answered code, status, why refused)."""
    return rows(
        warehouse, "select quota_kind, answered_code, status, refused_for from raw.llm_quota_mappings order by all"
    )


def statuses(warehouse: Warehouse) -> list[tuple[Any, ...]]:
    return rows(
        warehouse,
        """
        select account_name, region, status, error_text, row_count from ops.source_status
        where source = 'llm_quota_mappings' order by all
        """,
    )


OPEN = [("rpm", None, "none", "unmapped", None), ("tpm", None, "none", "unmapped", None)]
MAPPED = [("rpm", RPM_14, "llm", "mapped", MAPPER), ("tpm", TPM_14, "llm", "mapped", MAPPER)]


def test_without_a_configured_model_nothing_is_asked_and_what_is_stored_stays(
    warehouse: Warehouse, mapper: Mapper
) -> None:
    run(warehouse)
    with warehouse.connect() as con:
        before = stored_rows(con)
    mapper.calls.clear()

    metadata = run(warehouse, llm_model=None)

    assert mapper.calls == []
    assert (metadata["asked"], metadata["calls"]) == ("off", 0)
    with warehouse.connect() as con:
        assert stored_rows(con) == before
    assert mappings(warehouse) == MAPPED


def test_nothing_is_asked_and_no_status_is_written_by_default(warehouse: Warehouse, mapper: Mapper) -> None:
    run(warehouse, llm_model=None)

    assert mapper.calls == []
    assert (mappings(warehouse), verdicts(warehouse), statuses(warehouse)) == (OPEN, [], [])


def test_an_answer_is_stored_with_its_tokens_and_maps_the_quota(warehouse: Warehouse, mapper: Mapper) -> None:
    metadata = run(warehouse)

    assert len(mapper.calls) == 1
    assert mappings(warehouse) == MAPPED
    with warehouse.connect() as con:
        first, second = stored_rows(con)
    assert first == {
        "account_id": "111122223333",
        "region": "us-east-1",
        "model_id": MAGISTRAL,
        "endpoint_type": "on_demand",
        "quota_kind": "rpm",
        "candidate_hash": first["candidate_hash"],
        "answered_code": RPM_14,
        "status": "accepted",
        "refused_for": None,
        "reason": "Nothing that is known contradicts it.",
        "evidence": "same family",
        "mapper_model_id": MAPPER,
        "input_tokens": 900,
        "output_tokens": 100,
        "cost_usd": None,
        "asked_at": NOW,
    }
    assert (second["quota_kind"], second["candidate_hash"]) == ("tpm", first["candidate_hash"])
    assert statuses(warehouse) == [("production", "us-east-1", "ok", None, 2)]
    assert {name: metadata[name] for name in ("asked", "input_tokens", "output_tokens", "cost_usd", "accepted")} == {
        "asked": "1 of 1 questions",
        "input_tokens": 900,
        "output_tokens": 100,
        "cost_usd": "unknown",
        "accepted": 2,
    }


def test_its_cost_follows_from_the_list_prices_of_the_profile_that_is_asked(mapper: Mapper) -> None:
    store = open_store()
    for endpoint_type, region, price in (("geo", "*", "1.1"), ("geo", "us-east-1", "1.2"), ("on_demand", "*", "9")):
        store.price(BASE, "input", price, endpoint_type=endpoint_type, region=region)
    store.price(BASE, "output", "5.5", endpoint_type="geo")
    store.price(BASE, "input", "7", endpoint_type="geo", region="eu-west-1")
    warehouse = InMemory(store)

    metadata = run(warehouse)

    expected = Decimal("0.001630000000")  # 900 x 1.2 + 100 x 5.5 millionths
    assert rows(warehouse, "select distinct cost_usd from raw.llm_quota_mappings") == [(expected,)]
    assert Decimal(metadata["cost_usd"]) == expected


def test_an_unchanged_catalogue_is_not_asked_about_again_and_gives_the_same_rows(
    warehouse: Warehouse, mapper: Mapper
) -> None:
    run(warehouse)
    before = rows(warehouse, "select * from raw.quota_mappings order by all")
    mapper.calls.clear()

    assert run(warehouse)["asked"] == "0 of 0 questions"

    assert mapper.calls == []
    assert rows(warehouse, "select * from raw.quota_mappings order by all") == before


def test_a_refused_answer_is_not_asked_for_again_until_another_model_is_configured(
    warehouse: Warehouse, mapper: Mapper
) -> None:
    mapper.answer = talk({"text": "I think it is 1.4."})
    run(warehouse)
    run(warehouse)
    assert len(mapper.asked) == 1
    mapper.answer = choose()

    run(warehouse, llm_model="amazon.nova-pro-v1:0")

    assert [row[-1] for row in mappings(warehouse)] == ["amazon.nova-pro-v1:0"] * 2


def test_changed_candidates_are_asked_about_anew(warehouse: Warehouse, mapper: Mapper) -> None:
    run(warehouse)
    changed = {"old": f"{TPM} 1.5", "new": f"{TPM} 1.6"}
    with warehouse.connect() as con:
        con.execute("update raw.service_quotas set quota_name = $new where quota_name = $old", changed)
    mapper.calls.clear()
    mapper.answer = choose(TPM_15)

    run(warehouse)

    assert [one["candidates"]["tpm"]["quotas"][1]["name"] for one in mapper.asked] == [f"{TPM} 1.6"]
    assert mappings(warehouse)[1] == ("tpm", TPM_15, "llm", "mapped", MAPPER)


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (talk({"text": "1.4"}), [("rpm", None, "refused", "format"), ("tpm", None, "refused", "format")]),
        (by_tool({"tpm": TPM_14}), [("rpm", None, "refused", "format"), ("tpm", None, "refused", "format")]),
        (
            choose("L-00000000", "L-00000000"),
            [("rpm", "L-00000000", "refused", "candidates"), ("tpm", "L-00000000", "refused", "candidates")],
        ),
        (choose(RPM_14, TPM_14), [("rpm", TPM_14, "refused", "kind"), ("tpm", RPM_14, "refused", "kind")]),
    ],
)
def test_a_wrong_answer_maps_nothing_and_is_kept_with_the_reason(
    warehouse: Warehouse, mapper: Mapper, answer: dict[str, Any], expected: list[tuple[Any, ...]]
) -> None:
    mapper.answer = answer

    run(warehouse)

    assert verdicts(warehouse) == expected
    assert mappings(warehouse) == OPEN


def test_one_kind_may_be_believed_and_the_other_not(warehouse: Warehouse, mapper: Mapper) -> None:
    mapper.answer = choose(TPM_15, TPM_15)

    run(warehouse)

    assert mappings(warehouse) == [OPEN[0], ("tpm", TPM_15, "llm", "mapped", MAPPER)]


def test_the_answer_none_leaves_the_quota_open(warehouse: Warehouse, mapper: Mapper) -> None:
    mapper.answer = choose("none", "none")

    run(warehouse)

    assert verdicts(warehouse) == [("rpm", "none", "accepted", None), ("tpm", "none", "accepted", None)]
    assert mappings(warehouse) == OPEN


DENIED = error("Converse", "AccessDeniedException", "no")
DENIED_TEXT = "Converse: AccessDeniedException: no. Allow bedrock:InvokeModel."


@pytest.mark.parametrize(
    ("failure", "status", "text"),
    [
        (DENIED, "denied", DENIED_TEXT),
        (
            error("Converse", "ThrottlingException", "slow down"),
            "throttled",
            "Converse: ThrottlingException: slow down",
        ),
        (
            error("Converse", "ValidationException", "no tools here"),
            "failed",
            "Converse: ValidationException: no tools here",
        ),
    ],
)
def test_a_failed_call_is_told_and_loses_no_stored_mapping(
    warehouse: Warehouse, mapper: Mapper, failure: ClientError, status: str, text: str
) -> None:
    run(warehouse)
    with warehouse.connect() as con:
        con.execute(f"update raw.service_quotas set quota_name = '{TPM} 1.6' where quota_name = '{TPM} 1.5'")
    mapper.answer = failure

    metadata = run(warehouse)

    assert metadata["error"] == text
    assert statuses(warehouse) == [("production", "us-east-1", status, text, None)]
    assert mappings(warehouse) == MAPPED

    mapper.answer = choose()
    run(warehouse)
    assert statuses(warehouse) == [("production", "us-east-1", "ok", None, 2)]


def test_once_it_is_off_an_earlier_failure_is_no_trouble(warehouse: Warehouse, mapper: Mapper) -> None:
    mapper.answer = DENIED
    run(warehouse)

    run(warehouse, llm_model=None)

    assert statuses(warehouse) == []


def test_a_refused_answer_loses_no_mapping_that_still_holds(warehouse: Warehouse, mapper: Mapper) -> None:
    run(warehouse)
    with warehouse.connect() as con:
        con.execute(f"update raw.service_quotas set quota_name = '{TPM} 1.6' where quota_name = '{TPM} 1.5'")
    mapper.answer = talk({"text": "Hm."})

    run(warehouse)

    assert mappings(warehouse) == MAPPED


def test_denied_once_the_rest_is_not_asked(mapper: Mapper) -> None:
    store = open_store()
    store.model("mistral.magistral-medium-2609-v1:0", model_name="Magistral Medium 2609", provider_name="Mistral AI")
    name = "On-demand model inference tokens per minute for Magistral Medium 1.4"
    store.quota("medium", "on_demand", "tpm", 1, name=name, mapped=False)
    warehouse = InMemory(store)
    mapper.answer = DENIED

    assert run(warehouse)["asked"] == "0 of 2 questions"

    assert len(mapper.calls) == 1


def test_an_account_that_cannot_be_reached_is_told(warehouse: Warehouse, mapper: Mapper) -> None:
    away = UnreachableAccount("production", None, ("us-east-1",), "denied", "AssumeRole: no.")

    run(warehouse, away)
    run(warehouse, away)

    assert mapper.calls == []
    text = "The account 'production' could not be reached to ask with. AssumeRole: no."
    assert statuses(warehouse) == [("production", None, "denied", text, None)]


def test_two_regions_are_asked_about_once(mapper: Mapper) -> None:
    store = open_store()
    store.scope(region="eu-west-1")
    warehouse = InMemory(store)
    for table in ("foundation_models", "service_quotas"):
        store.con.execute(f"insert into raw.{table} select * replace ('eu-west-1' as region) from raw.{table}")
    store.con.execute("delete from raw.service_quotas where region = 'eu-west-1' and quota_name like '% 1.4'")

    run(warehouse)

    assert len(mapper.calls) == 1
    assert rows(
        warehouse, "select region, quota_kind, status, refused_for from raw.llm_quota_mappings order by all"
    ) == [
        ("eu-west-1", "tpm", "refused", "candidates"),
        ("us-east-1", "rpm", "accepted", None),
        ("us-east-1", "tpm", "accepted", None),
    ]


def test_a_region_that_comes_later_gets_the_answer_without_asking(warehouse: Warehouse, mapper: Mapper) -> None:
    run(warehouse)
    mapper.calls.clear()
    with warehouse.connect() as con:
        for table in ("foundation_models", "service_quotas"):
            con.execute(f"insert into raw.{table} select * replace ('eu-west-1' as region) from raw.{table}")

    run(warehouse)

    assert mapper.calls == []
    mapped = "select region, count(*) from raw.quota_mappings where method = 'llm' group by all order by all"
    assert rows(warehouse, mapped) == [("eu-west-1", 2), ("us-east-1", 2)]


def test_nothing_is_asked_about_what_a_person_decided(warehouse: Warehouse, mapper: Mapper) -> None:
    with warehouse.connect() as con:
        con.execute(
            "insert into raw.quota_overrides (model_id, endpoint_type, quota_kind, quota_code) values (?, ?, ?, ?)",
            [MAGISTRAL, "on_demand", "tpm", "L-0000000A"],
        )
    mapper.answer = by_tool({"rpm": {"quota_code": RPM_14, "evidence": ""}})

    run(warehouse)

    assert [list(one["candidates"]) for one in mapper.asked] == [["rpm"]]
    assert mappings(warehouse) == [MAPPED[0], ("tpm", "L-0000000A", "override", "mapped", None)]


def test_when_a_rule_finds_the_quota_later_the_rule_counts_and_only_the_rest_is_asked_about(
    warehouse: Warehouse, mapper: Mapper
) -> None:
    run(warehouse)
    mapper.calls.clear()
    with warehouse.connect() as con:
        con.execute(f"update raw.service_quotas set quota_name = '{TPM} 2609' where quota_code = '{TPM_15}'")
    mapper.answer = by_tool({"rpm": {"quota_code": RPM_14, "evidence": ""}})

    run(warehouse)

    assert mappings(warehouse) == [MAPPED[0], ("tpm", TPM_15, "rule", "mapped", None)]
    assert rows(warehouse, "select answered_code from raw.llm_quota_mappings where quota_kind = 'tpm'") == [(TPM_14,)]
    assert [list(one["candidates"]) for one in mapper.asked] == [["rpm"]]


def test_the_region_to_ask_in_can_be_named(warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch) -> None:
    mapper = Mapper(monkeypatch, region="us-west-2")

    run(warehouse, llm_region="us-west-2")

    assert len(mapper.calls) == 1
    assert [row[1:3] for row in statuses(warehouse)] == [("us-west-2", "ok")]


def test_no_usage_is_ever_sent(mapper: Mapper) -> None:
    store = open_store()
    store.application_profile("secret-project", [f"arn:aws:bedrock:us-east-1::foundation-model/{MAGISTRAL}"])
    store.usage(MAGISTRAL, at("14T10:00"), invocations=12345, input_tokens=67890)
    store.call(MAGISTRAL, at("14T10:00"), input_tokens=67890)

    run(InMemory(store))

    sent = json.dumps(mapper.calls)
    assert MAGISTRAL in sent
    assert [word for word in ("111122223333", "secret-project", "12345", "67890", "300000") if word in sent] == []
