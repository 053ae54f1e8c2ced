"""The simulated organisation: accounts, models, inference profiles and who calls what.

Here: facts that do not depend on the seed, read from the CSV files beside this module. Not here: quotas
(`quota_catalogue.py`), requests (`traffic.py`), the AWS protocol (`responses_*.py`).
"""

import csv
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cache
from hashlib import sha256
from itertools import zip_longest
from pathlib import Path

ACCOUNTS = {"111122223333": "production", "444455556666": "research"}
"""Account id to the account's name."""

SCOPES = (
    ("111122223333", "us-east-1"),
    ("111122223333", "ap-northeast-1"),
    ("444455556666", "us-east-1"),
    ("444455556666", "eu-west-1"),
)
"""The accounts and Regions where Bedrock is used; every other Region is disabled."""

ROLE_NAME = "usage-pipeline-reader"
EXTERNAL_ID = "sandbox"
CREATED_AT = datetime(2026, 1, 12, 9, 0)  # noqa: DTZ001  (UTC without a zone, as in every table)
"""When the organisation's resources were made."""

# Which Regions a geo profile reaches from one of ours. A global profile reaches the Region-less ARN.
_GEO_ROUTES: dict[tuple[str, str], tuple[str, ...]] = {
    ("us", "us-east-1"): ("us-east-1", "us-east-2", "us-west-2"),
    ("eu", "eu-west-1"): ("eu-central-1", "eu-north-1", "eu-west-1", "eu-west-3"),
    ("jp", "ap-northeast-1"): ("ap-northeast-1", "ap-northeast-3"),
    ("apac", "ap-northeast-1"): (
        "ap-northeast-1",
        "ap-northeast-2",
        "ap-south-1",
        "ap-southeast-1",
        "ap-southeast-2",
    ),
}
_PROFILE_NAME_PREFIX = {"us": "US", "eu": "EU", "jp": "JP", "apac": "APAC", "global": "Global"}

DEPLOYMENT_NAME = "invoice-fields"
IMPORTED_MODEL_NAME = "field-notes-llama"
_CUSTOM_IDS = {DEPLOYMENT_NAME: "dep4x7k2m9q1", IMPORTED_MODEL_NAME: "imp8w3z5v1t6"}


def csv_rows(name: str) -> Iterator[dict[str, str]]:
    """The rows of a CSV file beside this module."""
    with (Path(__file__).parent / name).open(encoding="utf-8", newline="") as file:
        yield from csv.DictReader(file)


def account_id_of(name: str) -> str:
    """The id of an account by its name."""
    return next(account for account, known in ACCOUNTS.items() if known == name)


@dataclass(frozen=True)
class Model:
    """One foundation model. `burndown` is the true rate; `max_output_tokens` is 0 for embeddings."""

    model_id: str
    name: str
    provider: str
    input: tuple[str, ...]
    output: tuple[str, ...]
    on_demand: tuple[str, ...]
    geo: tuple[str, ...]
    is_global: bool
    max_output_tokens: int
    burndown: int
    lifecycle: str
    end_of_life_in_days: int | None
    """From the sandbox's present; None for a model of which no end is known."""

    @property
    def is_embedding(self) -> bool:
        """Whether the model answers with vectors, not tokens."""
        return self.output == ("EMBEDDING",)


@cache
def models() -> dict[str, Model]:
    """Every foundation model by its id."""
    return {
        row["model_id"]: Model(
            model_id=row["model_id"],
            name=row["name"],
            provider=row["provider"],
            input=tuple(row["input"].split("|")),
            output=tuple(row["output"].split("|")),
            on_demand=tuple(filter(None, row["on_demand"].split("|"))),
            geo=tuple(filter(None, row["geo"].split("|"))),
            is_global=row["global"] == "yes",
            max_output_tokens=int(row["max_output_tokens"] or 0),
            burndown=int(row["burndown"]),
            lifecycle=row["lifecycle"],
            end_of_life_in_days=int(row["end_of_life_in_days"]) if row["end_of_life_in_days"] else None,
        )
        for row in csv_rows("models.csv")
    }


def models_in(region: str) -> list[Model]:
    """The foundation models that ListFoundationModels names in the Region."""
    return [model for model in models().values() if _is_listed(model, region)]


def _is_listed(model: Model, region: str) -> bool:
    if not any(region == known for _, known in SCOPES):
        return False
    variant_only = not (model.on_demand or model.geo or model.is_global)
    return (
        variant_only
        or region in model.on_demand
        or model.is_global
        or any((geo, region) in _GEO_ROUTES for geo in model.geo)
    )


@dataclass(frozen=True)
class Profile:
    """One inference profile. `source` is the system profile or base model that an application profile copies."""

    account_id: str
    region: str
    profile_id: str
    name: str
    kind: str
    model_id: str
    endpoint_type: str
    source: str
    model_arns: tuple[str, ...]
    tags: tuple[tuple[str, str], ...] = ()

    @property
    def arn(self) -> str:
        """The profile's ARN."""
        resource = "application-inference-profile" if self.kind == "application" else "inference-profile"
        return f"arn:aws:bedrock:{self.region}:{self.account_id}:{resource}/{self.profile_id}"


def foundation_model_arn(model_id: str, region: str) -> str:
    """ARN of a foundation model; the Region is empty where a global profile routes anywhere."""
    return f"arn:aws:bedrock:{region}::foundation-model/{model_id}"


@cache
def system_profiles(account_id: str, region: str) -> dict[str, Profile]:
    """The system inference profiles of a scope by their id."""
    found: dict[str, Profile] = {}
    for model in models_in(region):
        prefixes = [geo for geo in model.geo if (geo, region) in _GEO_ROUTES] + ["global"] * model.is_global
        for prefix in prefixes:
            regions = (region, "") if prefix == "global" else _GEO_ROUTES[prefix, region]
            found[f"{prefix}.{model.model_id}"] = Profile(
                account_id=account_id,
                region=region,
                profile_id=f"{prefix}.{model.model_id}",
                name=f"{_PROFILE_NAME_PREFIX[prefix]} {model.provider} {model.name}",
                kind="system",
                model_id=model.model_id,
                endpoint_type="global" if prefix == "global" else "geo",
                source=f"{prefix}.{model.model_id}",
                model_arns=tuple(foundation_model_arn(model.model_id, routed) for routed in regions),
            )
    return found


@dataclass(frozen=True)
class Called:
    """What a caller names in its requests, and what that resolves to.

    `model_ref` is the ModelId as CloudWatch spells it; `kind` is the profile kind; `model_id` is the foundation model,
    or `imported-model/<id>`.
    """

    model_ref: str
    kind: str
    endpoint_type: str
    model_id: str

    @property
    def is_claude(self) -> bool:
        """Whether an Anthropic model answers; only theirs keep a prompt cache for an hour."""
        return self.model_id.startswith("anthropic.")


@dataclass(frozen=True)
class Caller:
    """One application that calls one model or profile in one pattern.

    `shape` is when it calls; `per_day` the mean requests of a day; `active_share` the share of its minutes with
    requests. Token figures are medians. `max_tokens` is None where the application does not set it.
    """

    key: str
    account_id: str
    region: str
    called: Called
    application: str
    principal: str
    operation: str
    shape: str
    per_day: float
    active_share: float
    input_tokens: int
    output_tokens: int
    max_tokens: int | None
    cached_share: float
    error_share: float
    service_tier: str
    publishes_max_tokens: bool

    @property
    def pool_id(self) -> str:
        """The pool whose quotas limit this caller."""
        return f"{self.account_id}/{self.region}/{self.called.endpoint_type}/{self.called.model_id}"

    @property
    def request_metadata(self) -> dict[str, str]:
        """What the caller's Converse requests carry as metadata; other operations and people send none."""
        if not self.operation.startswith("Converse") or "{person}" in self.principal:
            return {}
        return {"application": self.application, "environment": "prod"}

    @property
    def is_streaming(self) -> bool:
        """Whether the caller uses a streaming operation, which alone has a time to first token."""
        return self.operation in ("ConverseStream", "InvokeModelWithResponseStream")


THROTTLED_POOLS = ("111122223333/us-east-1/geo/anthropic.claude-sonnet-4-20250514-v1:0",)
"""Pools whose requests go through the limiter. The other pools' quotas are far above their use."""

PEAK_POOL = "111122223333/us-east-1/geo/anthropic.claude-sonnet-4-5-20250929-v1:0"
PEAK_SHARE = 0.85
"""The busiest minute of PEAK_POOL takes exactly this share of its TPM quota."""


class Organisation:
    """The organisation with `profiles_factor` times as many profiles: its callers and application profiles.

    With `pools`, only so many quota pools are called; the profiles of the others stay, idle.
    """

    def __init__(self, profiles_factor: int = 1, pools: int | None = None) -> None:
        profiles = [_application_profile(row) for row in csv_rows("application_profiles.csv")]
        by_name = {(p.account_id, p.region, p.name): p for p in profiles}
        callers = [_caller(row, number, by_name) for number, row in enumerate(csv_rows("callers.csv"))]
        copies = [
            _copy(caller, number)
            for number in range(1, profiles_factor)
            for caller in callers
            if caller.called.endpoint_type in ("on_demand", "geo", "global") and caller.pool_id not in THROTTLED_POOLS
        ]
        self.application_profiles = tuple(profiles + [profile for profile, _ in copies])
        callers += [caller for _, caller in copies]
        called = set(_alike_from_every_scope(callers)[:pools])
        self.callers = tuple(caller for caller in callers if caller.pool_id in called)

    def application_profiles_in(self, account_id: str, region: str) -> list[Profile]:
        """The application inference profiles of a scope."""
        return [p for p in self.application_profiles if (p.account_id, p.region) == (account_id, region)]


def _alike_from_every_scope(callers: Iterable[Caller]) -> list[str]:
    """Every called pool once: the first of each scope, then the second of each, and so on."""
    pools: dict[tuple[str, str], dict[str, None]] = {}
    for caller in callers:
        pools.setdefault((caller.account_id, caller.region), {})[caller.pool_id] = None
    return [pool for rank in zip_longest(*pools.values()) for pool in rank if pool is not None]


def _application_profile(row: dict[str, str]) -> Profile:
    account_id, region, source = account_id_of(row["account"]), row["region"], row["source"]
    tags = tuple((key, row[key]) for key in ("team", "application", "environment"))
    return _made_from(account_id, region, source, row["profile_id"], row["name"], tags)


def _made_from(
    account_id: str, region: str, source: str, profile_id: str, name: str, tags: tuple[tuple[str, str], ...]
) -> Profile:
    base = system_profiles(account_id, region).get(source)
    return Profile(
        account_id=account_id,
        region=region,
        profile_id=profile_id,
        name=name,
        kind="application",
        model_id=base.model_id if base else models()[source].model_id,
        endpoint_type=base.endpoint_type if base else "on_demand",
        source=source,
        model_arns=base.model_arns if base else (foundation_model_arn(source, region),),
        tags=tags,
    )


def _caller(row: dict[str, str], number: int, profiles: dict[tuple[str, str, str], Profile]) -> Caller:
    account_id, region = account_id_of(row["account"]), row["region"]
    return Caller(
        key=f"{number}/{row['application']}",
        account_id=account_id,
        region=region,
        called=_called(account_id, region, row["called"], profiles),
        application=row["application"],
        principal=row["principal"],
        operation=row["operation"],
        shape=row["shape"],
        per_day=float(row["per_day"]),
        active_share=float(row["active_share"]),
        input_tokens=int(row["input_tokens"]),
        output_tokens=int(row["output_tokens"]),
        max_tokens=int(row["max_tokens"]) if row["max_tokens"] else None,
        cached_share=float(row["cached_share"]),
        error_share=float(row["error_share"]),
        service_tier=row["service_tier"],
        publishes_max_tokens=row["publishes_max_tokens"] == "yes",
    )


def deployment_arn(account_id: str, region: str) -> str:
    """ARN of the custom model deployment, which is its ModelId in CloudWatch."""
    return f"arn:aws:bedrock:{region}:{account_id}:custom-model-deployment/{_CUSTOM_IDS[DEPLOYMENT_NAME]}"


def custom_model_arn(account_id: str, region: str) -> str:
    """ARN of the custom model that is deployed."""
    return f"arn:aws:bedrock:{region}:{account_id}:custom-model/{DEPLOYED_MODEL}:300k/cm7h2n5p8r3t"


def imported_model_arn(account_id: str, region: str) -> str:
    """ARN of the imported model, which is its ModelId in CloudWatch."""
    return f"arn:aws:bedrock:{region}:{account_id}:imported-model/{_CUSTOM_IDS[IMPORTED_MODEL_NAME]}"


DEPLOYED_MODEL = "amazon.nova-lite-v1:0"
DEPLOYMENT_SCOPE = ("111122223333", "us-east-1")
IMPORT_SCOPE = ("444455556666", "us-east-1")


def _called(account_id: str, region: str, called: str, profiles: dict[tuple[str, str, str], Profile]) -> Called:
    way, _, name = called.partition("/")
    if way == "profile":
        profile = profiles[account_id, region, name]
        return Called(profile.profile_id, "application", profile.endpoint_type, profile.model_id)
    if way == "deployment":
        return Called(deployment_arn(account_id, region), "custom_deployment", "custom_deployment", DEPLOYED_MODEL)
    if way == "import":
        arn = imported_model_arn(account_id, region)
        return Called(arn, "imported", "imported", f"imported-model/{arn.rpartition('/')[2]}")
    system = system_profiles(account_id, region).get(called)
    if system:
        return Called(called, "system", system.endpoint_type, system.model_id)
    return Called(called, "base", "on_demand", models()[called].model_id)


def _copy(caller: Caller, number: int) -> tuple[Profile, Caller]:
    """Give the caller a twin with an application profile of its own, made from the same source."""
    key = f"{caller.key}/{number}"
    sources = system_profiles(caller.account_id, caller.region).values()
    source = next(
        (
            profile.profile_id
            for profile in sources
            if (profile.endpoint_type, profile.model_id) == (caller.called.endpoint_type, caller.called.model_id)
        ),
        caller.called.model_id,
    )
    profile_id = sha256(key.encode()).hexdigest()[:12]
    name = re.sub(r"[^\w -]", "", f"{caller.application} {number}")
    tags = (("team", f"team-{number}"), ("application", caller.application), ("environment", "prod"))
    profile = _made_from(caller.account_id, caller.region, source, profile_id, name, tags)
    called = replace(caller.called, model_ref=profile_id, kind="application")
    return profile, replace(caller, key=key, called=called)
