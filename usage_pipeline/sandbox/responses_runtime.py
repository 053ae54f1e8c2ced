"""Bedrock Runtime's Converse: plays the model that maps quotas, from the request's own tool schema and the truth.

Not here: the truth (`quota_catalogue.py`), InvokeModel, which is moto's.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from moto.bedrockruntime.responses import BedrockRuntimeResponse
from moto.core.responses import ActionResult

from usage_pipeline.sandbox.faults import FaultSwitches
from usage_pipeline.sandbox.organisation import models_in, system_profiles
from usage_pipeline.sandbox.quota_catalogue import pool_codes, quotas
from usage_pipeline.sandbox.refusals import RefusedRequestError

_NONE = "none"
_NO_CODE = "L-00000000"
"""A code that no catalogue has."""

_CHARACTERS_PER_TOKEN = 4
_LATENCY_MS = 800


@dataclass(frozen=True)
class _Asked:
    """The model and endpoint type that the message is about, and the choices that the tool's schema allows."""

    model_id: str
    endpoint_type: str
    choices: dict[str, list[str]]


class SandboxRuntimeResponse(BedrockRuntimeResponse):
    """Answers as a model that knows every quota, unless a fault makes it err."""

    OPERATIONS = ("Converse",)

    def __init__(self, faults: FaultSwitches) -> None:
        super().__init__()
        self._faults = faults

    def converse(self) -> ActionResult:
        """A call of the tool that the request forces, or one word where it has none."""
        self._require_model(str(self._get_param("modelId")))
        tool = self._forced_tool()
        content: list[dict[str, Any]] = [{"text": "Yes."}]
        if tool is not None and self._faults.wrong_answer != "no_tool_call":
            given = _answer(_asked(self._messages(), tool), self._faults.wrong_answer)
            content = [{"toolUse": {"toolUseId": "tooluse_sandbox", "name": tool["name"], "input": given}}]
        read, written = _tokens(json.dumps([self._messages(), tool])), _tokens(json.dumps(content))
        return ActionResult(
            {
                "output": {"message": {"role": "assistant", "content": content}},
                "stopReason": "tool_use" if "toolUse" in content[0] else "end_turn",
                "usage": {"inputTokens": read, "outputTokens": written, "totalTokens": read + written},
                "metrics": {"latencyMs": _LATENCY_MS},
            }
        )

    def _require_model(self, model_id: str) -> None:
        on_demand = {model.model_id for model in models_in(self.region) if self.region in model.on_demand}
        if model_id not in on_demand | set(system_profiles(self.current_account, self.region)):
            raise RefusedRequestError("ValidationException", "The provided model identifier is invalid.")

    def _messages(self) -> Sequence[dict[str, Any]]:
        return self._get_param("messages") or []

    def _forced_tool(self) -> dict[str, Any] | None:
        configuration = self._get_param("toolConfig") or {}
        name = ((configuration.get("toolChoice") or {}).get("tool") or {}).get("name")
        specified = [tool["toolSpec"] for tool in configuration.get("tools", ()) if "toolSpec" in tool]
        found = [tool for tool in specified if tool["name"] == name]
        if name is not None and not found:
            raise RefusedRequestError("ValidationException", "The tool of toolChoice is not among the tools.")
        return found[0] if found else None


def _asked(messages: Sequence[dict[str, Any]], tool: dict[str, Any]) -> _Asked:
    told = json.loads(messages[-1]["content"][0]["text"])
    properties = tool["inputSchema"]["json"]["properties"]
    choices = {kind: schema["properties"]["quota_code"]["enum"] for kind, schema in properties.items()}
    return _Asked(told["model"]["id"], told["endpoint_type"], choices)


def _answer(asked: _Asked, wrong_answer: str | None) -> dict[str, Any]:
    """For each kind the true code if it may be chosen, else none; or a wrong one."""
    tpm, rpm, tpd = pool_codes(asked.model_id, asked.endpoint_type)
    true_codes = {"tpm": tpm, "rpm": rpm, "tpd": tpd}

    def code(kind: str) -> str:
        if wrong_answer == "outside":
            return _NO_CODE
        if wrong_answer == "metric":
            return next((other for name, other in true_codes.items() if other and name != kind), _NO_CODE)
        return true_codes[kind] if true_codes.get(kind) in asked.choices[kind] else _NONE

    return {kind: {"quota_code": code(kind), "evidence": _evidence(code(kind))} for kind in asked.choices}


def _evidence(code: str) -> str:
    quota = quotas().get(code)
    return f"It is the model that “{quota.name}” means." if quota else "No candidate surely means this model."


def _tokens(text: str) -> int:
    return len(text) // _CHARACTERS_PER_TOKEN
