from collections import Counter

from usage_pipeline.sandbox.organisation import (
    SCOPES,
    Organisation,
    models,
    system_profiles,
)

PRODUCTION, RESEARCH = "111122223333", "444455556666"


def test_two_accounts_with_two_regions_each():
    assert SCOPES == (
        (PRODUCTION, "us-east-1"),
        (PRODUCTION, "ap-northeast-1"),
        (RESEARCH, "us-east-1"),
        (RESEARCH, "eu-west-1"),
    )


def test_callers_use_many_models_over_every_endpoint():
    called = [caller.called for caller in Organisation().callers]
    foundation = {c.model_id for c in called if c.model_id in models()}
    assert len(foundation) >= 12
    assert len({models()[model_id].provider for model_id in foundation}) >= 5
    assert {c.endpoint_type for c in called} == {"on_demand", "geo", "global", "custom_deployment", "imported"}
    assert {c.model_ref.split(".")[0] for c in called if c.kind == "system"} == {"us", "eu", "jp", "apac", "global"}


def test_application_profiles_are_made_from_every_kind_of_source():
    profiles = {profile.name: profile for profile in Organisation().application_profiles}
    assert len(profiles) >= 10
    assert profiles["tokyo-assistant"].model_arns == (
        "arn:aws:bedrock:ap-northeast-1::foundation-model/anthropic.claude-haiku-4-5-20251001-v1:0",
        "arn:aws:bedrock:ap-northeast-3::foundation-model/anthropic.claude-haiku-4-5-20251001-v1:0",
    )
    assert profiles["tagging"].model_arns == ("arn:aws:bedrock:us-east-1::foundation-model/amazon.nova-lite-v1:0",)
    assert profiles["global-drafts"].model_arns == (
        "arn:aws:bedrock:eu-west-1::foundation-model/anthropic.claude-sonnet-4-6",
        "arn:aws:bedrock:::foundation-model/anthropic.claude-sonnet-4-6",
    )
    assert dict(profiles["</script><b>x"].tags)["team"] == 'support "tier 1"'


def test_one_profile_is_never_called():
    organisation = Organisation()
    called = {caller.called.model_ref for caller in organisation.callers}
    assert [p.name for p in organisation.application_profiles if p.profile_id not in called] == ["pilot-assistant"]


def test_model_arns_tell_system_profiles_of_a_scope_apart():
    for scope in SCOPES:
        profiles = system_profiles(*scope).values()
        assert len({profile.model_arns for profile in profiles}) == len(profiles)


def test_unknown_burndown_is_known_to_the_truth():
    assert models()["anthropic.claude-sonnet-5-5"].burndown == 10


def test_ten_times_the_profiles():
    few, many = Organisation(), Organisation(profiles_factor=10)
    assert len({c.called.model_ref for c in many.callers}) >= 8 * len({c.called.model_ref for c in few.callers})
    assert {c.pool_id for c in many.callers} == {c.pool_id for c in few.callers}
    assert len({p.profile_id for p in many.application_profiles}) == len(many.application_profiles)


def test_fewer_pools_are_called_from_every_scope_alike():
    few, every = Organisation(pools=20), Organisation()
    assert len({caller.pool_id for caller in few.callers}) == 20
    scopes = Counter(scope for scope, _ in {((c.account_id, c.region), c.pool_id) for c in few.callers})
    assert scopes == dict.fromkeys(SCOPES, 5)
    assert few.callers == tuple(c for c in every.callers if c.pool_id in {kept.pool_id for kept in few.callers})
    assert few.application_profiles == every.application_profiles
