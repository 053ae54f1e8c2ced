"""The scopes of a run: asked for once, by whoever is first."""

import threading
from typing import Any

import pytest

from usage_pipeline.aws import access
from usage_pipeline.aws.access import AwsAccess
from usage_pipeline.aws.scopes import ResolvedScopes

NO_SCOPES = ResolvedScopes(scopes=(), unreachable=(), sessions={})


def test_scopes_that_are_being_asked_for_are_waited_for_and_not_asked_for_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked, is_asking, may_answer = [], threading.Event(), threading.Event()

    def resolve(settings: Any) -> ResolvedScopes:
        asked.append(threading.current_thread().name)
        is_asking.set()
        assert may_answer.wait(10)
        return NO_SCOPES

    monkeypatch.setattr(access, "resolve_scopes", resolve)
    aws = AwsAccess(settings=None)  # pyright: ignore[reportArgumentType]  (only handed on)
    aws.begin()
    assert is_asking.wait(10)
    threading.Timer(0.05, may_answer.set).start()

    assert aws.resolved is NO_SCOPES
    assert asked == ["scopes"]


def test_what_went_wrong_is_told_to_whoever_needs_the_scopes(monkeypatch: pytest.MonkeyPatch) -> None:
    has_failed = threading.Event()

    def resolve(settings: Any) -> ResolvedScopes:
        has_failed.set()
        raise ValueError("no such profile")

    monkeypatch.setattr(access, "resolve_scopes", resolve)
    aws = AwsAccess(settings=None)  # pyright: ignore[reportArgumentType]  (only handed on)
    aws.begin()
    assert has_failed.wait(10)

    with pytest.raises(ValueError, match="no such profile"):
        _ = aws.resolved
