"""How often Python looks for garbage in cycles: by default so often that it takes a tenth of a run.

Most objects of a process here live as long as it does. Not here: processes that load one library and then answer
(`checks/validation.py`, `ui/start/dashboard.py`), which freeze it.
"""

import atexit
import gc
from collections.abc import Generator
from contextlib import contextmanager


def collect_seldom() -> None:
    """Look for cycles seldom in this process, and not once more in everything when the interpreter ends."""
    gc.set_threshold(10_000, 20, 20)
    atexit.register(gc.freeze)


@contextmanager
def without_search_for_cycles() -> Generator[None]:
    """Keep Python from looking for garbage in cycles, which takes a twentieth of a run that is over soon anyway."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            if not gc.get_freeze_count():
                # All are old from now on: a search of what a run made, as of young objects, would take half a second.
                gc.freeze()
                gc.unfreeze()
            gc.enable()
