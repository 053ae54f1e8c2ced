"""How often Python looks for garbage in cycles: seldom in a process, not at all in a block, and as before after it."""

import gc
import subprocess
import sys
from collections.abc import Iterator

import pytest

from usage_pipeline.garbage_collection import without_search_for_cycles

COLLECTIONS = """
import gc
import sys
from usage_pipeline.garbage_collection import collect_seldom

searches = []
gc.set_threshold(700, 10, 10)
gc.callbacks.append(lambda phase, about: searches.append(phase))
if "seldom" in sys.argv:
    collect_seldom()
kept = [[] for _ in range(100_000)]
print(len(searches))
gc.callbacks.append(lambda phase, about: print("nothing" if gc.get_freeze_count() > len(kept) else "everything"))
"""


@pytest.fixture
def _searching_as_before() -> Iterator[None]:
    was_on = gc.isenabled()
    yield
    (gc.enable if was_on else gc.disable)()


@pytest.mark.parametrize("is_on", [True, False])
@pytest.mark.usefixtures("_searching_as_before")
def test_a_block_without_search_leaves_it_as_it_was_also_after_an_error(is_on: bool) -> None:
    inside: list[bool] = []

    @without_search_for_cycles()
    def fail() -> None:
        inside.append(gc.isenabled())
        raise LookupError

    (gc.enable if is_on else gc.disable)()
    with pytest.raises(LookupError):
        fail()

    assert inside == [False]
    assert gc.isenabled() is is_on


def test_a_process_that_collects_seldom_searches_a_tenth_as_often_and_not_what_lives_to_its_end() -> None:
    def outcome(*arguments: str) -> list[str]:
        command = [sys.executable, "-I", "-c", COLLECTIONS, *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()

    often, *searched = outcome()
    assert "everything" in searched
    seldom, *searched = outcome("seldom")
    assert 0 < int(seldom) < int(often) / 10
    assert "everything" not in searched
