"""Records of the model invocation log, as lines of JSON, from requests and the plan.

Here: the record around the bodies, and the bodies that lie in objects of their own. Not here: the bodies' shapes
(`log_bodies.py`), files and events (`log_objects.py`, `log_events.py`). Record schema: user guide of Bedrock, model
invocation logging.
"""

import json
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from usage_pipeline.sandbox.log_bodies import (
    ANSWERS,
    LONG_PROMPTS,
    PROMPTS,
    TOO_LONG,
    BodyKind,
    Call,
    bodies_of,
    body_kind,
    reports_cache,
    reports_output,
)
from usage_pipeline.sandbox.log_destinations import DESTINATIONS, LogDestination, Scope
from usage_pipeline.sandbox.log_plan import IN_S3, INLINE, LogPlan
from usage_pipeline.sandbox.organisation import Caller, foundation_model_arn, system_profiles
from usage_pipeline.sandbox.principals import RequestPrincipals
from usage_pipeline.sandbox.traffic import ERRORS, SUCCESS, Requests, request_ids

Array = npt.NDArray[Any]

_LONG_ONE_IN = 400
_GLOBAL_REGIONS = ("us-east-2", "eu-west-1", "ap-southeast-2", "us-west-2")
"""Where requests to a global profile run."""

_SCHEMA = '"schemaType":"ModelInvocationLog","schemaVersion":"1.0"}'


def hour_folder(destination: LogDestination, scope: Scope, delivered_ms: int) -> str:
    """The key prefix of what is delivered in the hour, with its slash."""
    hour = np.datetime64(delivered_ms, "ms").astype("datetime64[h]").item()
    return f"{scope_folder(destination, scope)}{hour:%Y/%m/%d/%H}/"


def scope_folder(destination: LogDestination, scope: Scope) -> str:
    """The key prefix of a scope's logs in its bucket, with its slash."""
    prefix = f"{destination.key_prefix}/" if destination.key_prefix else ""
    return f"{prefix}AWSLogs/{scope[0]}/BedrockModelInvocationLogs/{scope[1]}/"


def model_names(caller: Caller) -> tuple[str, str]:
    """What the caller passes as modelId: the usual way, and the less usual one."""
    called = caller.called
    place = f"arn:aws:bedrock:{caller.region}:{caller.account_id}"
    match called.kind:
        case "base":
            return called.model_ref, foundation_model_arn(called.model_ref, caller.region)
        case "system":
            return called.model_ref, f"{place}:inference-profile/{called.model_ref}"
        case "application":
            return f"{place}:application-inference-profile/{called.model_ref}", called.model_ref
        case _:
            return called.model_ref, called.model_ref


def inference_regions(caller: Caller) -> tuple[str, ...]:
    """The Regions that run the caller's requests; none where the record does not say."""
    called = caller.called
    if called.endpoint_type == "global":
        return _GLOBAL_REGIONS
    if called.endpoint_type != "geo":
        return ()
    profiles = system_profiles(caller.account_id, caller.region).values()
    arns = next(p.model_arns for p in profiles if (p.endpoint_type, p.model_id) == ("geo", called.model_id))
    return tuple(arn.split(":")[3] for arn in arns)


@dataclass(frozen=True)
class _CallerText:
    """The parts of a record that are the same in all of a caller's."""

    kind: BodyKind
    names: tuple[str, str]
    start: str
    operation: str
    metadata: str
    regions: tuple[str, ...]
    reports_cache: bool
    reports_output: bool
    tier: str


def _caller_text(caller: Caller) -> _CallerText:
    metadata = (
        f'"requestMetadata":{json.dumps(caller.request_metadata, separators=(",", ":"))},'
        if caller.request_metadata
        else ""
    )
    return _CallerText(
        kind=body_kind(caller),
        names=model_names(caller),
        start=f'Z","accountId":"{caller.account_id}","region":"{caller.region}","requestId":"',
        operation=caller.operation,
        metadata=metadata,
        regions=tuple(f'"inferenceRegion":"{region}",' for region in inference_regions(caller)),
        reports_cache=reports_cache(caller),
        reports_output=reports_output(caller),
        tier=caller.service_tier,
    )


class RecordWriter:
    """Writes the records of any requests; holds nothing that grows with them."""

    def __init__(self, requests: Requests, plan: LogPlan, principals: RequestPrincipals) -> None:
        self._requests = requests
        self._plan = plan
        self._principal = principals.number
        self._arns = [principal.arn for principal in principals.known]
        self._callers = [_caller_text(caller) for caller in requests.callers]
        self._folders = [(caller.account_id, caller.region) for caller in requests.callers]

    def lines(self, rows: Array) -> list[str]:
        """One line of JSON for each row, without its line end."""
        requests = self._requests
        seconds = np.datetime_as_string(requests.ts[rows].astype("datetime64[ms]"), unit="s").tolist()
        return [
            self._line(row, moment, request_id, caller, error, call)
            for row, moment, request_id, caller, error, call in zip(
                rows.tolist(),
                seconds,
                request_ids(requests.ids[rows]).to_pylist(),
                requests.caller[rows].tolist(),
                requests.error[rows].tolist(),
                self._calls(rows),
                strict=True,
            )
        ]

    def body_in_s3(self, row: int, part: str) -> str:
        """The body that lies in an object of its own; `part` is input or output."""
        (call,) = self._calls(np.array([row]))
        request, answer = bodies_of(self._callers[self._requests.caller[row]].kind, call)
        return request if part == "input" else answer

    def body_path(self, row: int, part: str) -> str:
        """The `s3://` address of a body that lies in an object of its own."""
        scope = self._folders[self._requests.caller[row]]
        destination = DESTINATIONS[scope]
        folder = hour_folder(destination, scope, int(self._plan.delivered_ms[row]))
        request_id = request_ids(self._requests.ids[row : row + 1])[0]
        return f"s3://{destination.bucket}/{folder}data/{request_id}_{part}.json.gz"

    def _calls(self, rows: Array) -> list[Call]:
        requests, plan = self._requests, self._plan
        columns = (
            requests.max_tokens,
            requests.input_tokens,
            requests.output_tokens,
            requests.cache_read,
            requests.cache_write_5m,
            requests.cache_write_1h,
            requests.latency_ms,
            requests.ttft_ms,
        )
        choices = (plan.shows_lifetimes, plan.is_nested, plan.is_truncated, plan.variant)
        tiers = [self._callers[caller].tier for caller in requests.caller[rows].tolist()]
        return [
            Call(_prompt(variant, asked), TOO_LONG if told == IN_S3 else ANSWERS[variant % len(ANSWERS)], *numbers)
            for variant, asked, told, *numbers in zip(
                plan.variant[rows].tolist(),
                plan.input_place[rows].tolist(),
                plan.output_place[rows].tolist(),
                *(column[rows].tolist() for column in columns),
                tiers,
                *(choice[rows].tolist() for choice in choices),
                strict=True,
            )
        ]

    def _line(self, row: int, moment: str, request_id: str, caller: int, error: int, call: Call) -> str:
        text = self._callers[caller]
        name = text.names[self._plan.model_form[row]]
        where = text.regions[call.variant % len(text.regions)] if text.regions else ""
        if error == SUCCESS:
            told, failed = self._parts(row, text, call), ""
        else:
            given = '"inputContentType":"application/json"' if call.variant % 4 == 0 else ""
            told, failed = f'"input":{{{given}}},"output":{{}}', f'"errorCode":"{ERRORS[error]}",'
        return (
            f'{{"timestamp":"{moment}{text.start}{request_id}","operation":"{text.operation}","modelId":"{name}",'
            f'{text.metadata}{told},"identity":{{"arn":"{self._arns[self._principal[row]]}"}},{where}{failed}{_SCHEMA}'
        )

    def _parts(self, row: int, text: _CallerText, call: Call) -> str:
        """The input and output of an answered call: bodies or where they are, and counts."""
        request, answer = bodies_of(text.kind, call)
        sent = self._body(row, "input", request, int(self._plan.input_place[row]))
        got = self._body(row, "output", answer, int(self._plan.output_place[row]))
        cache = ""
        if text.reports_cache:
            writes = call.cache_write_5m + call.cache_write_1h
            cache = f',"cacheReadInputTokenCount":{call.cache_read},"cacheWriteInputTokenCount":{writes}'
        produced = f',"outputTokenCount":{call.output_tokens}' if text.reports_output else ""
        return (
            f'"input":{{"inputContentType":"application/json"{sent},"inputTokenCount":{call.input_tokens}{cache}}},'
            f'"output":{{"outputContentType":"application/json"{got}{produced}}}'
        )

    def _body(self, row: int, part: str, body: str, place: int) -> str:
        if place == INLINE:
            return f',"{part}BodyJson":{body}'
        return f',"{part}BodyS3Path":"{self.body_path(row, part)}"' if place == IN_S3 else ""


def _prompt(variant: int, place: int) -> str:
    if place == IN_S3:
        return TOO_LONG
    if variant % _LONG_ONE_IN == 0:
        return LONG_PROMPTS[variant // _LONG_ONE_IN % len(LONG_PROMPTS)]
    return PROMPTS[variant % len(PROMPTS)]
