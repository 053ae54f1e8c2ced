"""Who sent each request: IAM and STS ARNs, and what a perfect reading of them says.

Here: ARNs and their reading by the pipeline's default application rule. Not here: which caller has which principal
(`callers.csv`), the requests (`traffic.py`).
"""

import re
from dataclasses import dataclass
from typing import Any
from zlib import crc32

import numpy as np
import numpy.typing as npt

from usage_pipeline.sandbox.organisation import Caller
from usage_pipeline.sandbox.traffic import SESSIONS, Requests

Array = npt.NDArray[Any]

UNATTRIBUTED = "(unattributed)"
"""Application of a request that no rule names."""

ROTATION_MS = 15 * 60_000
"""A `{rotation}` principal has a new session name this often."""

_PEOPLE = ("alice", "bob", "chiara", "dmitri", "emeka", "fumiko")
_APPLICATION_ROLE = re.compile(r"(.+)-BedrockRole")


@dataclass(frozen=True)
class Principal:
    """One caller identity. `session_name` is None where the ARN has none; `application` is the default rule's."""

    arn: str
    principal_type: str
    role_or_user: str
    session_name: str | None
    application: str


@dataclass(frozen=True)
class RequestPrincipals:
    """`number` is, for each request, the row of its principal in `known`."""

    known: tuple[Principal, ...]
    number: Array


def principal_arn(caller: Caller, session: int, rotation: int = 0) -> str:
    """ARN of who sent a request: root, an IAM or federated user, or a role's session.

    `rotation` counts ROTATION_MS from 1970, for principals that change their session name with time.
    """
    instance = f"i-0{crc32(f'{caller.key}/{session}'.encode()):08x}{session:08x}"
    person = f"{_PEOPLE[session % len(_PEOPLE)]}@example.com"
    rotating = f"botocore-session-{rotation * ROTATION_MS // 1000}"
    name = caller.principal.format(instance=instance, person=person, rotation=rotating)
    service = "iam" if name == "root" or name.startswith("user/") else "sts"
    return f"arn:aws:{service}::{caller.account_id}:{name}"


def read_principal(arn: str) -> Principal:
    """What the ARN says, under the default rule that a role `{application}-BedrockRole` names the application."""
    kind, _, name = arn.split(":", 5)[5].partition("/")
    match kind:
        case "root":
            return Principal(arn, "root", "root", None, UNATTRIBUTED)
        case "user":
            user = name.rpartition("/")[2]
            is_api_key = user.startswith("BedrockAPIKey-")
            return Principal(arn, "bedrock_api_key" if is_api_key else "user", user, None, UNATTRIBUTED)
        case "federated-user":
            return Principal(arn, "federated_user", name, None, UNATTRIBUTED)
        case _:
            role, _, session = name.partition("/")
            if role.startswith("AWSReservedSSO_"):
                return Principal(arn, "sso_user", session, session, UNATTRIBUTED)
            named = _APPLICATION_ROLE.fullmatch(role)
            return Principal(arn, "role", role, session, named[1] if named else UNATTRIBUTED)


def principals_of(requests: Requests) -> RequestPrincipals:
    """The principal of every request."""
    known = [
        read_principal(principal_arn(caller, session)) for caller in requests.callers for session in range(SESSIONS)
    ]
    number = requests.caller.astype(np.int32) * SESSIONS + requests.session
    for place, caller in enumerate(requests.callers):
        rows = np.flatnonzero(requests.caller == place) if "{rotation}" in caller.principal else ()
        if len(rows):
            rotations = requests.ts[rows] // ROTATION_MS
            first, last = int(rotations.min()), int(rotations.max())
            number[rows] = len(known) + (rotations - first)
            known += [read_principal(principal_arn(caller, 0, rotation)) for rotation in range(first, last + 1)]
    return RequestPrincipals(tuple(known), number)
