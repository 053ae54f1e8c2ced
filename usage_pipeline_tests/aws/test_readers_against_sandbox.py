"""The readers over real HTTP, against the simulated organisation and the truth beside it."""

from collections.abc import Iterator
from datetime import date, datetime, timedelta
from pathlib import Path

import duckdb
import pytest

from usage_pipeline.aws.bedrock import (
    list_custom_deployments,
    list_foundation_models,
    list_imported_models,
    list_inference_profiles,
)
from usage_pipeline.aws.metric_catalogue import BEDROCK, MAX_TOKENS
from usage_pipeline.aws.metric_reading import MetricReading, MetricRequest, read_metrics
from usage_pipeline.aws.permissions import probe
from usage_pipeline.aws.read_plan import SeriesState
from usage_pipeline.aws.scopes import ResolvedScopes, Scope, resolve_scopes
from usage_pipeline.aws.service_quotas import list_service_quotas
from usage_pipeline.aws.source_reading import ScopeReading, read_scopes
from usage_pipeline.config import load_settings
from usage_pipeline.sandbox.options import SandboxOptions
from usage_pipeline.sandbox.running import RunningSandbox, start_in_thread

NOW = datetime.fromisoformat("2026-11-15T10:30")
DAYS = [NOW.date() - timedelta(days=back) for back in range(17, -1, -1)]
PRODUCTION, RESEARCH = "111122223333", "444455556666"

pytest.importorskip("moto", reason="the sandbox extra is not installed")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("sandbox")


@pytest.fixture(scope="module")
def running(folder: Path) -> Iterator[RunningSandbox]:
    with start_in_thread(SandboxOptions(days=17, end=NOW), folder) as sandbox, pytest.MonkeyPatch.context() as patch:
        patch.delenv("AWS_PROFILE", raising=False)
        for name, value in sandbox.environment.items():
            patch.setenv(name, value)
        yield sandbox


@pytest.fixture
def sandbox(running: RunningSandbox) -> Iterator[RunningSandbox]:
    running.forget_calls()
    yield running
    running.set_faults([])


@pytest.fixture(scope="module")
def resolved(running: RunningSandbox, folder: Path) -> ResolvedScopes:
    return resolve_scopes(load_settings(folder / "usage_pipeline.yaml"))


def read_all(
    resolved: ResolvedScopes,
    folder: Path,
    days: list[date],
    ledger: dict[Scope, tuple[SeriesState, ...]] | None = None,
    namespace: object = BEDROCK,
) -> list[ScopeReading[MetricReading]]:
    def read(scope: Scope) -> MetricReading:
        bedrock = resolved.session(scope).client("bedrock", scope.region)
        catalogue = {
            *(profile.profile_id for profile in list_inference_profiles(bedrock).rows),
            *(deployment.deployment_arn for deployment in list_custom_deployments(bedrock).rows),
            *(model.model_arn for model in list_imported_models(bedrock).rows),
        }
        on_demand = {model.model_id for model in list_foundation_models(bedrock).rows}
        request = MetricRequest(days, NOW, (ledger or {}).get(scope, ()), (), catalogue, on_demand)
        client = resolved.session(scope).client("cloudwatch", scope.region)
        return read_metrics(client, scope, namespace, request, folder)  # type: ignore[arg-type]

    return read_scopes(resolved.scopes, read, max_workers=4)


@pytest.fixture(scope="module")
def everything(
    running: RunningSandbox, resolved: ResolvedScopes, tmp_path_factory: pytest.TempPathFactory
) -> tuple[list[ScopeReading[MetricReading]], str]:
    out = tmp_path_factory.mktemp("points")
    return read_all(resolved, out, DAYS), f"{out}/*.parquet"


def test_roles_are_assumed_and_regions_found(resolved: ResolvedScopes) -> None:
    assert resolved.unreachable == ()
    assert [(scope.account_id, scope.account_name, scope.region) for scope in resolved.scopes] == [
        (PRODUCTION, "production", "ap-northeast-1"),
        (PRODUCTION, "production", "us-east-1"),
        (RESEARCH, "research", "us-east-1"),
        (RESEARCH, "research", "eu-west-1"),
    ]


def test_the_catalogue_of_every_scope_comes_whole(sandbox: RunningSandbox, resolved: ResolvedScopes) -> None:
    profiles = read_scopes(
        resolved.scopes,
        lambda scope: list_inference_profiles(resolved.session(scope).client("bedrock", scope.region)),
        4,
    )
    assert {reading.status for reading in profiles} == {"ok"}
    rows = [row for reading in profiles if reading.value for row in reading.value.rows]
    application = [row for row in rows if row.profile_type == "APPLICATION"]
    assert len(application) >= 10
    assert all(row.tags is not None for row in rows)
    assert "</script><b>x" in {row.profile_name for row in application}

    counts = {}
    for name, read in {"deployments": list_custom_deployments, "imported": list_imported_models}.items():
        clients = [resolved.session(scope).client("bedrock", scope.region) for scope in resolved.scopes]
        counts[name] = sum(len(read(client)) for client in clients)
    assert counts == {"deployments": 1, "imported": 1}


def test_quotas_are_applied_or_default_and_read_page_by_page(sandbox: RunningSandbox, resolved: ResolvedScopes) -> None:
    scope = next(scope for scope in resolved.scopes if (scope.account_id, scope.region) == (PRODUCTION, "us-east-1"))
    rows = list_service_quotas(resolved.session(scope).client("service-quotas", scope.region)).rows
    assert {row.limit_source for row in rows} == {"applied", "default"}
    assert len(rows) == len({row.quota_code for row in rows}) > 100
    assert sandbox.call_counts["service-quotas.ListAWSDefaultServiceQuotas"] > 1


def test_minutes_equal_the_truth(folder: Path, everything: tuple[list[ScopeReading[MetricReading]], str]) -> None:
    readings, points = everything
    assert {reading.status for reading in readings} == {"ok"}
    with duckdb.connect() as con:
        con.execute(f"attach '{folder}/truth.duckdb' as truth (read_only)")
        differences = con.execute(
            """
            with read as (
                select
                    account_id,
                    region,
                    model_id,
                    ts,
                    sum(value) filter (where metric_name = 'Invocations') as invocations,
                    sum(value) filter (where metric_name = 'InvocationThrottles') as throttles,
                    sum(value) filter (where metric_name = 'InputTokenCount') as input_tokens,
                    sum(value) filter (where metric_name = 'OutputTokenCount') as output_tokens,
                    sum(value) filter (where metric_name = 'InvocationLatency' and statistic = 'Sum') as latency,
                from read_parquet($points)
                where period_seconds = 60 and dimension_set = 'ModelId' and statistic = 'Sum'
                group by all
            ),
            truth as (
                select account_id, region, profile_id as model_id, ts, invocations, throttles, input_tokens,
                    output_tokens, latency_ms_total as latency
                from truth.usage_minutely
                where ts >= '2026-11-01'
            )
            select coalesce(r.ts, t.ts), r, t
            from read r full join truth t using (account_id, region, model_id, ts)
            where not (
                coalesce(r.invocations, 0) = coalesce(t.invocations, 0)
                and coalesce(r.throttles, 0) = coalesce(t.throttles, 0)
                and coalesce(r.input_tokens, 0) = coalesce(t.input_tokens, 0)
                and coalesce(r.output_tokens, 0) = coalesce(t.output_tokens, 0)
                and coalesce(r.latency, 0) = coalesce(t.latency, 0)
            )
            limit 5
            """,
            {"points": points},
        ).fetchall()
        read, true = con.execute(
            "select count(distinct (account_id, region, model_id, ts)),"
            " (select count(*) from truth.usage_minutely where ts >= '2026-11-01') from read_parquet($points)"
            " where period_seconds = 60 and dimension_set = 'ModelId'",
            {"points": points},
        ).fetchone()  # type: ignore[misc]
    assert differences == []
    assert read == true > 10_000


def test_older_days_come_by_five_minutes_and_add_up_to_the_truth(
    folder: Path, everything: tuple[list[ScopeReading[MetricReading]], str]
) -> None:
    with duckdb.connect() as con:
        con.execute(f"attach '{folder}/truth.duckdb' as truth (read_only)")
        read = con.execute(
            "select usage_date, sum(value) from read_parquet($points) where metric_name = 'InputTokenCount'"
            " and statistic = 'Sum' and period_seconds = 300 and dimension_set = 'ModelId' group by all order by all",
            {"points": everything[1]},
        ).fetchall()
        true = con.execute(
            "select ts::date as day, sum(input_tokens) from truth.usage_minutely where ts < '2026-11-01'"
            " group by all order by all"
        ).fetchall()
    assert read == true
    assert len(read) == 3


def test_the_totals_of_the_account_are_the_sum_of_its_models(
    everything: tuple[list[ScopeReading[MetricReading]], str],
) -> None:
    with duckdb.connect() as con:
        different = con.execute(
            """
            select account_id, region, date_trunc('hour', ts) as hour
            from read_parquet($points)
            where metric_name = 'Invocations' and statistic = 'Sum' and ts < '2026-11-15 10:00'
            group by all
            having sum(value) filter (where dimension_set = 'none')
                is distinct from sum(value) filter (where dimension_set = 'ModelId')
            """,
            {"points": everything[1]},
        ).fetchall()
    assert different == []


def test_a_second_run_of_finished_days_asks_for_no_points(
    sandbox: RunningSandbox,
    resolved: ResolvedScopes,
    everything: tuple[list[ScopeReading[MetricReading]], str],
    tmp_path: Path,
) -> None:
    ledger = {
        reading.scope: tuple(state for stored in reading.value.reads for state in stored.read.states)
        for reading in everything[0]
        if reading.value
    }
    again = read_all(resolved, tmp_path, DAYS[:-1], ledger)
    assert {reading.status for reading in again} == {"empty"}
    assert sandbox.call_counts["cloudwatch.ListMetrics"] == 4
    assert "cloudwatch.GetMetricData" not in sandbox.call_counts


def test_partial_answers_give_the_same_points_in_the_end(
    sandbox: RunningSandbox, resolved: ResolvedScopes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    waits: list[float] = []
    monkeypatch.setattr("usage_pipeline.aws.cloudwatch.sleep", waits.append)
    whole = [reading.row_count for reading in read_all(resolved, tmp_path, DAYS[-2:-1])]
    sandbox.set_faults(["partial_data:2"])
    assert [reading.row_count for reading in read_all(resolved, tmp_path, DAYS[-2:-1])] == whole
    assert waits


def test_a_denied_scope_leaves_the_others_whole(
    sandbox: RunningSandbox, resolved: ResolvedScopes, tmp_path: Path
) -> None:
    sandbox.set_faults([f"denied:cloudwatch:{PRODUCTION}:us-east-1"])
    readings = read_all(resolved, tmp_path, DAYS[-2:-1])
    assert [reading.status for reading in readings] == ["ok", "denied", "ok", "ok"]
    assert readings[1].value is None
    assert readings[1].row_count is None
    assert "Allow cloudwatch:ListMetrics." in str(readings[1].error_text)


def test_throttled_calls_are_sent_again(sandbox: RunningSandbox, resolved: ResolvedScopes, tmp_path: Path) -> None:
    sandbox.set_faults(["throttled:cloudwatch:2"])
    readings = read_all(resolved, tmp_path, DAYS[-2:-1])
    assert {reading.status for reading in readings} == {"ok"}
    sent = sandbox.call_counts
    assert sum(reading.api_calls for reading in readings) == sum(sent.values())


def test_max_tokens_are_read_as_sum_and_count(resolved: ResolvedScopes, tmp_path: Path) -> None:
    readings = read_all(resolved, tmp_path, DAYS[-2:-1], namespace=MAX_TOKENS)
    assert "ok" in {reading.status for reading in readings}
    with duckdb.connect() as con:
        assert con.execute(
            "select distinct namespace, metric_name, statistic, period_seconds from read_parquet($points) order by all",
            {"points": f"{tmp_path}/*.parquet"},
        ).fetchall() == [("Bedrock/Quotas", "MaxTokens", "SampleCount", 60), ("Bedrock/Quotas", "MaxTokens", "Sum", 60)]


def test_every_permission_is_there_and_a_denied_service_is_named(
    sandbox: RunningSandbox, resolved: ResolvedScopes
) -> None:
    scope = resolved.scopes[0]
    assert {found.status for found in probe(resolved.session(scope), scope, NOW)} == {"ok"}
    sandbox.set_faults([f"denied:service-quotas:{scope.account_id}:{scope.region}"])
    assert [found.action for found in probe(resolved.session(scope), scope, NOW) if found.status == "denied"] == [
        "servicequotas:ListServiceQuotas",
        "servicequotas:ListAWSDefaultServiceQuotas",
    ]
