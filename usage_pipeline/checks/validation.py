"""Great Expectations: whether expectations hold of a frame; here, or in a process that has it ready.

Importing it takes two seconds and 180 MB, so only what evaluates checks does. A run of few days starts a process at its
beginning that imports it while AWS is asked; that process takes pickled questions on stdin, answers on stdout, and ends
with its stdin.

Not here: which expectations there are and which rows contradict them (`expectations.py`, `expectation_sql.py`).
"""

import gc
import os
import pickle
import signal
import subprocess
import sys
from collections.abc import Callable, Generator, Mapping, Sequence, Set
from contextlib import contextmanager
from functools import cache
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec
from importlib.util import LazyLoader
from queue import Queue
from threading import Thread
from types import ModuleType
from typing import IO, TYPE_CHECKING, Any, Self, TypeAlias, cast

if TYPE_CHECKING:
    import pandas as pd
    from great_expectations.core.batch_definition import BatchDefinition

SELDOM_USED = frozenset({"altair", "scipy.stats"})
"""What Great Expectations imports for its charts and for expectations of distributions: together a third of the time
and of the memory of its import (1.24.1)."""

Asked: TypeAlias = Sequence[tuple[str, dict[str, Any]]]
"""Expectations of one table, each by type and arguments."""

Answers: TypeAlias = Callable[[], list[bool]]
"""Whether each expectation holds, in the order asked; to be called once, in the order of the questions."""

Validate: TypeAlias = "Callable[[str, pd.DataFrame, Asked], Answers]"
"""Asks of a table's frame; what it returns waits for the answers."""


class ExpectationError(RuntimeError):
    """An expectation could not be evaluated: neither passed nor failed."""


def validate_here(table: str, frame: "pd.DataFrame", asked: Asked) -> Answers:
    """Asks Great Expectations in this process."""
    answers = validate(table, frame, asked)
    return lambda: answers


def validate(table: str, frame: "pd.DataFrame", asked: Asked) -> list[bool]:
    """Whether each expectation holds of the frame, by Great Expectations.

    Raises:
        ExpectationError: one raised, for example because it does not suit the column's type.
    """
    frames = _batch_definition()
    from great_expectations import ExpectationSuite
    from great_expectations.expectations.expectation_configuration import ExpectationConfiguration

    expectations = [
        ExpectationConfiguration(type=type_name, kwargs=arguments, meta={"number": number})
        for number, (type_name, arguments) in enumerate(asked)
    ]
    batch = frames.get_batch({"dataframe": frame})
    # Results come in an order of their own: they are told apart by what was noted with each.
    answers: dict[int, bool] = {}
    suite = ExpectationSuite(name=table, expectations=expectations)
    for result in batch.validate(suite, result_format="BOOLEAN_ONLY").results:
        number = cast(ExpectationConfiguration, result.expectation_config).meta["number"]
        if text := exception_text(result.exception_info):
            raise ExpectationError(f"{table}: {_in_words(asked[number])} could not be evaluated: {text}")
        answers[number] = bool(result.success)
    return [answers[number] for number in range(len(asked))]


@cache
def _batch_definition() -> "BatchDefinition[Any]":
    """What makes a frame a batch; the same for every table, because making one takes as long as a validation."""
    # It tells its maker of each use unless this is said before its import.
    os.environ["GX_ANALYTICS_ENABLED"] = "false"
    with loaded_on_first_use(SELDOM_USED):
        import great_expectations as gx
    from great_expectations.data_context.types.base import ProgressBarsConfig

    context = gx.get_context(mode="ephemeral")
    context.variables.progress_bars = ProgressBarsConfig(globally=False)
    return (
        context.data_sources.add_pandas("frames")
        .add_dataframe_asset("frame")
        .add_batch_definition_whole_dataframe("all")
    )


@contextmanager
def loaded_on_first_use(names: Set[str]) -> Generator[None]:
    """Modules of these names that are imported within are loaded when something of them is first used."""

    class Finder(MetaPathFinder):
        def find_spec(
            self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
        ) -> ModuleSpec | None:
            if fullname not in names:
                return None
            found = (other.find_spec(fullname, path, target) for other in sys.meta_path if other is not self)
            spec = next(filter(None, found), None)
            if spec is not None and spec.loader is not None:
                spec.loader = LazyLoader(spec.loader)
            return spec

    finder = Finder()
    sys.meta_path.insert(0, finder)
    try:
        yield
    finally:
        sys.meta_path.remove(finder)


def _in_words(expectation: tuple[str, dict[str, Any]]) -> str:
    type_name, arguments = expectation
    return f"{type_name}({', '.join(f'{name}={value!r}' for name, value in arguments.items())})"


def exception_text(info: Mapping[str, Any]) -> str | None:
    """What an expectation raised. Great Expectations gives one dictionary, or one for each metric that raised."""
    parts = [info] if "raised_exception" in info else list(info.values())
    return "; ".join(str(part["exception_message"]) for part in parts if part["raised_exception"]) or None


# ---------------------------------------------------------------------------------------------------------------------
# The process


class ValidationProcess:
    """A process that imports Great Expectations from now on, and then validates; to be closed by `with`."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(  # noqa: S603  (our own interpreter and module)
            [sys.executable, "-c", f"from {__name__} import serve; serve()"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        # Its own end is quick; a question that nobody waits for any more is not worth waiting for either.
        self._process.kill()
        self._process.communicate()

    def validate(self, table: str, frame: "pd.DataFrame", asked: Asked) -> Answers:
        """Asks in the process, which answers while this one goes on.

        Raises:
            ExpectationError: as `validate` does, or because the process ended; also when the answers are waited for.
        """
        with self._alive(table):
            questions = cast(IO[bytes], self._process.stdin)
            pickle.dump((table, frame, asked), questions)
            questions.flush()
        return lambda: self._answers(table)

    def _answers(self, table: str) -> list[bool]:
        with self._alive(table):
            answer: list[bool] | str = pickle.load(cast(IO[bytes], self._process.stdout))  # noqa: S301  (we started it)
        if isinstance(answer, str):
            raise ExpectationError(answer)
        return answer

    @contextmanager
    def _alive(self, table: str) -> Generator[None]:
        try:
            yield
        except (BrokenPipeError, EOFError) as error:
            raise ExpectationError(
                f"{table}: the process that asks Great Expectations ended with exit code {self._process.wait()}. "
                "Run again; if it was killed, this machine needs more memory."
            ) from error


def serve() -> None:
    """Validate what comes on stdin until it ends."""
    # Whoever asks has other work until the answers are due; where there are few cores, that goes first.
    os.nice(10)
    # Ctrl-C reaches the whole group; whoever asks ends this process.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    # Whatever a library prints is no answer.
    sys.stdout = sys.stderr
    # Nothing of an import is garbage; looking for cycles in it takes a fifth of the time.
    gc.disable()
    _batch_definition()
    gc.freeze()
    gc.enable()
    # Read as they come, so that whoever asks need not wait until the questions before are answered. Only now: a
    # question imports pandas, which two threads had better not do at once.
    questions: Queue[tuple[str, pd.DataFrame, Asked] | None] = Queue()
    Thread(target=_read_questions, args=(questions,), daemon=True).start()
    while (question := questions.get()) is not None:
        try:
            answer: list[bool] | str = validate(*question)
        except ExpectationError as error:
            answer = str(error)
        pickle.dump(answer, answers)
        answers.flush()


def _read_questions(questions: "Queue[tuple[str, pd.DataFrame, Asked] | None]") -> None:
    while True:
        try:
            questions.put(pickle.load(sys.stdin.buffer))  # noqa: S301  (from the process that started this one)
        except EOFError:
            questions.put(None)
            return
