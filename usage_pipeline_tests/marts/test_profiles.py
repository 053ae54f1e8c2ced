"""Which pool each ModelId belongs to, in every spelling that CloudWatch and the catalogues have."""

from datetime import timedelta

import pytest

from usage_pipeline_tests.marts.factory import ACCOUNT, DAY, NOVA, REGION, SONNET, Store, arns, at

TOKYO = "ap-northeast-1"
OSAKA = "ap-northeast-3"
HAIKU = "anthropic.claude-haiku-4-5-20251001-v1:0"


@pytest.fixture
def store() -> Store:
    store = Store("marts.quota_pools")
    store.burndown("*", 1)
    for prefix in ("eu", "apac", "jp", "au", "ca", "us-gov"):
        store.endpoint_prefix(prefix, "geo")
    return store


def pools_of(store: Store, *also: str) -> dict[str, tuple[str | None, str]]:
    """(pool without account and Region, status) by profile; the models `also` are built with the profiles."""
    store.covered(DAY)
    store.build("intermediate.int_profiles", *also)
    rows = store.rows("select profile_id, pool_id, account_id, region, status from intermediate.int_profiles")
    assert len({profile_id for profile_id, *_ in rows}) == len(rows)
    return {
        profile_id: (pool_id.removeprefix(f"{account_id}/{region}/") if pool_id else None, status)
        for profile_id, pool_id, account_id, region, status in rows
    }


def pool_of(store: Store, profile_id: str, *also: str) -> tuple[str | None, str]:
    return pools_of(store, *also)[profile_id]


def test_a_listed_system_profile_is_geo_or_global_by_its_prefix(store: Store) -> None:
    endpoint_types = dict.fromkeys(["us", "eu", "apac", "jp", "au", "ca", "us-gov", "mx"], "geo") | {"global": "global"}
    for prefix in endpoint_types:
        store.system_profile(f"{prefix}.{SONNET}", arns(SONNET, "us-east-1", "us-west-2"))
    assert pools_of(store) == {
        f"{prefix}.{SONNET}": (f"{endpoint_type}/{SONNET}", "resolved")
        for prefix, endpoint_type in endpoint_types.items()
    }


def test_a_listed_profile_that_routes_anywhere_is_global_also_under_a_new_prefix(store: Store) -> None:
    store.system_profile(f"world.{SONNET}", arns(SONNET, "", "us-east-1"))
    assert pool_of(store, f"world.{SONNET}") == (f"global/{SONNET}", "resolved")


def test_a_base_model_id_is_on_demand(store: Store) -> None:
    store.model(NOVA)
    assert pool_of(store, NOVA) == (f"on_demand/{NOVA}", "resolved")


def test_a_model_without_on_demand_is_a_pool_only_once_it_is_called(store: Store) -> None:
    store.model(SONNET, on_demand=False)
    store.build()
    assert store.rows("select pool_id from marts.quota_pools") == []

    store.usage(SONNET, at("14T10:00"), invocations=1)
    assert pool_of(store, SONNET) == (f"on_demand/{SONNET}", "resolved")


def test_an_application_profile_made_from_a_jp_profile_is_geo(store: Store) -> None:
    for prefix, regions in (("jp", (TOKYO, OSAKA)), ("apac", (TOKYO, OSAKA, "ap-south-1"))):
        store.system_profile(f"{prefix}.{HAIKU}", arns(HAIKU, *regions))
    # AWS may list the ARNs in another order.
    store.application_profile("tokyotokyo12", arns(HAIKU, OSAKA, TOKYO))
    assert pool_of(store, "tokyotokyo12") == (f"geo/{HAIKU}", "resolved")
    candidates = "select candidates from intermediate.int_profiles where profile_id = 'tokyotokyo12'"
    assert store.one(candidates) == [f"jp.{HAIKU}"]


def test_an_application_profile_made_from_a_global_profile_is_global(store: Store) -> None:
    routed = arns(SONNET, "", "us-east-1")
    store.system_profile(f"global.{SONNET}", routed)
    store.system_profile(f"us.{SONNET}", arns(SONNET, "us-east-1", "us-west-2"))
    store.application_profile("draftsdrafts", routed)
    assert pool_of(store, "draftsdrafts") == (f"global/{SONNET}", "resolved")


def test_an_arn_without_a_region_means_global_when_no_set_fits(store: Store) -> None:
    store.system_profile(f"global.{SONNET}", arns(SONNET, "", "us-east-1", "eu-west-1"))
    store.application_profile("draftsdrafts", arns(SONNET, "", "us-east-1"))
    assert pool_of(store, "draftsdrafts") == (f"global/{SONNET}", "resolved")


def test_an_application_profile_with_one_arn_of_its_region_is_on_demand(store: Store) -> None:
    store.model(NOVA)
    store.application_profile("taggingtaggi", arns(NOVA, REGION))
    assert pool_of(store, "taggingtaggi") == (f"on_demand/{NOVA}", "resolved")


def test_one_arn_of_another_region_is_unknown(store: Store) -> None:
    store.model(NOVA)
    store.application_profile("taggingtaggi", arns(NOVA, "eu-west-1"))
    assert pool_of(store, "taggingtaggi") == (None, "unknown")


def test_several_arns_that_no_profile_has_are_unknown_and_say_why(store: Store) -> None:
    store.system_profile(f"us.{SONNET}", arns(SONNET, "us-east-1", "us-west-2"))
    store.application_profile("odd", arns(SONNET, "us-east-1", "us-east-2"))
    assert pool_of(store, "odd", "marts.unresolved_profiles") == (None, "unknown")
    assert "us-east-2" in store.one("select reason from marts.unresolved_profiles where profile_id = 'odd'")


def test_candidates_that_mean_the_same_pool_resolve(store: Store) -> None:
    routed = arns(SONNET, "ca-central-1", "us-east-1")
    store.system_profile(f"us.{SONNET}", routed)
    store.system_profile(f"ca.{SONNET}", routed)
    store.application_profile("twocandidate", routed)
    assert pool_of(store, "twocandidate") == (f"geo/{SONNET}", "resolved")


def test_candidates_of_different_pools_are_ambiguous_and_listed(store: Store) -> None:
    routed = arns(SONNET, "us-east-1", "us-west-2")
    store.system_profile(f"us.{SONNET}", routed)
    store.system_profile(f"global.{SONNET}", routed)
    store.application_profile("ambiguous123", routed, tags={"team": "search"})
    store.usage("ambiguous123", at("14T10:00"), invocations=3, input_tokens=10, output_tokens=5)
    assert pool_of(store, "ambiguous123", "marts.unresolved_profiles") == (None, "ambiguous")

    columns = "status, candidates, tags, invocations, input_tokens, first_used"
    assert store.row(f"select {columns} from marts.unresolved_profiles") == (
        "ambiguous",
        [f"global.{SONNET}", f"us.{SONNET}"],
        {"team": "search"},
        3,
        10,
        at("14T10:00"),
    )


def test_one_arn_that_a_system_profile_also_has_is_ambiguous_with_the_base_model(store: Store) -> None:
    store.model(NOVA)
    store.system_profile(f"us.{NOVA}", arns(NOVA, REGION))
    store.application_profile("ambiguous123", arns(NOVA, REGION))
    assert pool_of(store, "ambiguous123") == (None, "ambiguous")


def test_a_model_without_on_demand_is_no_candidate_for_one_arn(store: Store) -> None:
    store.model(SONNET, on_demand=False)
    store.system_profile(f"us.{SONNET}", arns(SONNET, REGION))
    store.application_profile("madefromusaa", arns(SONNET, REGION))
    assert pool_of(store, "madefromusaa") == (f"geo/{SONNET}", "resolved")


def test_a_set_that_a_system_profile_once_had_still_finds_it(store: Store) -> None:
    earlier = DAY - timedelta(days=10)
    store.system_profile(f"us.{SONNET}", arns(SONNET, "us-east-1", "us-west-2"), snapshot=earlier)
    store.system_profile(f"us.{SONNET}", arns(SONNET, "us-east-1", "us-east-2", "us-west-2"))
    store.application_profile("madeearlier1", arns(SONNET, "us-east-1", "us-west-2"))
    assert pool_of(store, "madeearlier1") == (f"geo/{SONNET}", "resolved")


def test_profiles_of_another_account_or_region_are_no_candidates(store: Store) -> None:
    routed = arns(SONNET, "us-east-1", "us-west-2")
    store.scope("444455556666", "research")
    store.system_profile(f"us.{SONNET}", routed, account_id="444455556666")
    store.application_profile("fromelsewhere", routed)
    assert pool_of(store, "fromelsewhere") == (None, "unknown")


def test_a_deleted_profile_keeps_its_name_tags_and_pool(store: Store) -> None:
    earlier = DAY - timedelta(days=10)
    routed = arns(SONNET, "us-east-1", "us-west-2")
    store.system_profile(f"us.{SONNET}", routed, snapshot=earlier)
    store.application_profile("gonegonegone", routed, snapshot=earlier, profile_name="Gone", tags={"team": "x"})
    store.system_profile(f"us.{SONNET}", routed)
    assert pool_of(store, "gonegonegone") == (f"geo/{SONNET}", "resolved")
    columns = "profile_name, tags, is_listed"
    kept = store.row(f"select {columns} from intermediate.int_profiles where profile_id = 'gonegonegone'")
    assert kept == ("Gone", {"team": "x"}, False)


DEPLOYMENT = f"arn:aws:bedrock:{REGION}:{ACCOUNT}:custom-model-deployment/abcdef123456"
IMPORTED = f"arn:aws:bedrock:{REGION}:{ACCOUNT}:imported-model/llama1234567"
PROVISIONED = f"arn:aws:bedrock:{REGION}:{ACCOUNT}:provisioned-model/prov12345678"


def test_a_custom_deployment_has_a_pool_of_its_base_model(store: Store) -> None:
    store.custom_deployment(DEPLOYMENT, NOVA)
    assert pool_of(store, DEPLOYMENT) == (f"custom_deployment/{NOVA}", "resolved")


def test_a_custom_deployment_whose_base_is_unknown_has_no_pool(store: Store) -> None:
    store.custom_deployment(DEPLOYMENT, None)
    assert pool_of(store, DEPLOYMENT) == (None, "unknown")


@pytest.mark.parametrize("is_listed", [True, False])
def test_an_imported_model_is_its_own_model(store: Store, is_listed: bool) -> None:
    if is_listed:
        store.imported_model(IMPORTED)
    store.usage(IMPORTED, at("14T10:00"), invocations=1)
    assert pool_of(store, IMPORTED) == ("imported/imported-model/llama1234567", "resolved")


def test_provisioned_throughput_says_itself_what_it_is(store: Store) -> None:
    store.usage(PROVISIONED, at("14T10:00"), invocations=1)
    assert pool_of(store, PROVISIONED) == ("provisioned/provisioned-model/prov12345678", "resolved")


def test_an_id_that_is_not_listed_resolves_by_a_known_prefix_and_model(store: Store) -> None:
    # The model is known from another account's catalogue only.
    store.scope("444455556666", "research")
    store.model(SONNET, on_demand=False, account_id="444455556666")
    pools = {
        f"us.{SONNET}": f"geo/{SONNET}",
        f"us-gov.{SONNET}": f"geo/{SONNET}",
        f"global.{SONNET}": f"global/{SONNET}",
        SONNET: f"on_demand/{SONNET}",
    }
    for profile_id in pools:
        store.usage(profile_id, at("14T10:00"), invocations=1)
    assert pools_of(store) == {profile_id: (pool, "resolved") for profile_id, pool in pools.items()}


def test_an_id_that_nothing_explains_is_unknown_and_its_use_stays(store: Store) -> None:
    store.model(SONNET)
    unknown = [f"mars.{SONNET}", "us.acme.new-model-v1:0", "abcdef123456", "acme.x-v1"]
    for number, profile_id in enumerate(unknown, start=2):
        store.usage(profile_id, at("14T10:00"), invocations=number, input_tokens=30, throttles=1)
    pools = pools_of(store, "marts.quota_usage_minutely")
    assert {profile_id: pools[profile_id] for profile_id in unknown} == dict.fromkeys(unknown, (None, "unknown"))
    usage = "select pool_id, profile_id, account_name, invocations, throttles from marts.usage_minutely order by 4"
    assert store.rows(usage) == [
        (None, profile_id, "production", number, 1) for number, profile_id in enumerate(unknown, start=2)
    ]
    assert store.rows("select * from marts.quota_usage_minutely") == []


def test_an_arn_and_an_id_are_one_profile(store: Store) -> None:
    ids = {
        f"arn:aws:bedrock:{REGION}::foundation-model/{NOVA}": NOVA,
        f"arn:aws:bedrock:{REGION}:{ACCOUNT}:inference-profile/us.{NOVA}": f"us.{NOVA}",
        f"arn:aws:bedrock:{REGION}:{ACCOUNT}:application-inference-profile/taggingtaggi": "taggingtaggi",
        f"arn:aws-us-gov:bedrock:us-gov-west-1:{ACCOUNT}:inference-profile/us-gov.{NOVA}": f"us-gov.{NOVA}",
    }
    store.model(NOVA)
    store.application_profile("taggingtaggi", arns(NOVA, REGION))
    for arn, profile_id in ids.items():
        store.usage(arn, at("14T10:00"), invocations=1, input_tokens=10)
        store.usage(profile_id, at("14T10:00"), invocations=1, input_tokens=5)
    statuses = {profile_id: status for profile_id, (_, status) in pools_of(store, "marts.usage_minutely").items()}
    assert statuses == dict.fromkeys(ids.values(), "resolved")
    usage = "select profile_id, invocations, input_tokens from marts.usage_minutely order by 1"
    assert store.rows(usage) == [(profile_id, 2, 15) for profile_id in sorted(ids.values())]


def test_every_profile_has_one_row_however_many_snapshots_there_are(store: Store) -> None:
    for back in range(5):
        day = DAY - timedelta(days=back)
        store.model(NOVA, snapshot=day)
        store.system_profile(f"us.{NOVA}", arns(NOVA, "us-east-1", "us-west-2"), snapshot=day)
        store.application_profile("taggingtaggi", arns(NOVA, REGION), snapshot=day)
    store.build()
    assert store.one("select count(*) from intermediate.int_profiles") == 3
    assert store.one("select count(*) from marts.quota_pools") == 2


def test_pools_say_what_they_are(store: Store) -> None:
    store.model(NOVA, model_name="Nova Lite", provider_name="Amazon")
    store.system_profile(f"us.{NOVA}", arns(NOVA, "us-east-1", "us-west-2"))
    store.model_limit("amazon.*", 1_000)
    store.model_limit("amazon.nova-lite*", 5_120)
    store.quota(NOVA, "geo", "tpm", 200_000, name="Cross-region model inference tokens per minute for Amazon Nova Lite")
    store.mapping(NOVA, "on_demand", "tpm", status="no_quota", method="none")
    store.usage(f"us.{NOVA}", at("14T10:00"), invocations=1)
    store.covered(DAY)
    store.build()

    columns = """
        endpoint_type, provider, model_name, max_output_tokens, burndown_rate, burndown_source, tpm_quota_name,
        tpm_limit, limit_source, limit_as_of, mapping_method, mapping_status, last_used_date
    """
    name = "Cross-region model inference tokens per minute for Amazon Nova Lite"
    nova = ("Amazon", "Nova Lite", 5120, 1.0, "documented")
    assert store.rows(f"select {columns} from marts.quota_pools order by endpoint_type") == [
        ("geo", *nova, name, 200_000, "applied", DAY, "rule", "mapped", DAY),
        ("on_demand", *nova, None, None, None, None, "none", "no_quota", None),
    ]


def test_a_pool_says_who_found_its_first_quota(store: Store) -> None:
    tpm_rpm_and_pool = [
        (("llm", "mapped"), ("none", "no_quota"), ("llm", "mapped")),
        (("llm", "mapped"), ("rule", "mapped"), ("llm", "mapped")),
        (("none", "unmapped"), ("override", "mapped"), ("override", "mapped")),
        (("override", "no_quota"), ("none", "no_quota"), ("override", "no_quota")),
        (("override", "no_quota"), ("rule", "mapped"), ("override", "mapped")),
        (("none", "unmapped"), ("none", "no_quota"), ("none", "unmapped")),
    ]
    for number, (tpm, rpm, _) in enumerate(tpm_rpm_and_pool):
        store.model(f"acme.model-{number}-v1:0")
        for kind, (method, status) in (("tpm", tpm), ("rpm", rpm)):
            code = f"L-{kind}-{number}" if status == "mapped" else None
            store.mapping(
                f"acme.model-{number}-v1:0", "on_demand", kind, code=code, name=code, method=method, status=status
            )
    store.build()

    found = store.rows("select mapping_method, mapping_status from marts.quota_pools order by model_id")
    assert found == [pool for *_, pool in tpm_rpm_and_pool]


def test_a_profile_without_readable_tags_keeps_the_tags_read_before(store: Store) -> None:
    for snapshot, tags in ((DAY - timedelta(days=1), {"team": "search"}), (DAY, None)):
        store.application_profile("taggingtaggi", arns(NOVA, REGION), snapshot=snapshot, tags=tags)
    store.build()
    assert store.one("select tags from intermediate.int_profiles") == {"team": "search"}
