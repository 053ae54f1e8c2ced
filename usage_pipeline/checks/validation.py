"""Great Expectations: whether expectations hold of a frame; here, or in a process that has it ready.

Importing it takes two seconds and 180 MB, so only what evaluates checks does. A run of few days starts a process at its
beginning that imports it while AWS is asked; that process takes pickled questions on stdin, answers on stdout, and ends
with its stdin.

Not here: which expectations there are and which rows contradict them (`expectations.py`, `expectation_sql.py`).
"""

import os
import pickle
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from typing import IO, TYPE_CHECKING, Any, Self, TypeAlias, cast

if TYPE_CHECKING:
    import pandas as pd
    from great_expectations.core.batch_definition import BatchDefinition

Asked: TypeAlias = Sequence[tuple[str, dict[str, Any]]]
"""Expectations of one table, each by type and arguments."""

Validate: TypeAlias = "Callable[[str, pd.DataFrame, Asked], list[bool]]"
"""Whether each expectation holds of the table's frame, in the order asked."""


class ExpectationError(RuntimeError):
    """An expectation could not be evaluated: neither passed nor failed."""


def validate(table: str, frame: "pd.DataFrame", asked: Asked) -> list[bool]:
    """Whether each expectation holds of the frame, by Great Expectations in this process.

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
    import great_expectations as gx
    from great_expectations.data_context.types.base import ProgressBarsConfig

    context = gx.get_context(mode="ephemeral")
    context.variables.progress_bars = ProgressBarsConfig(globally=False)
    return (
        context.data_sources.add_pandas("frames")
        .add_dataframe_asset("frame")
        .add_batch_definition_whole_dataframe("all")
    )


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

    def validate(self, table: str, frame: "pd.DataFrame", asked: Asked) -> list[bool]:
        """The same as `validate`, in the process.

        Raises:
            ExpectationError: as `validate` does, or because the process ended.
        """
        questions, answers = cast(IO[bytes], self._process.stdin), cast(IO[bytes], self._process.stdout)
        try:
            pickle.dump((table, frame, asked), questions)
            questions.flush()
            answer: list[bool] | str = pickle.load(answers)  # noqa: S301  (from the process that we started)
        except (BrokenPipeError, EOFError) as error:
            raise ExpectationError(
                f"{table}: the process that asks Great Expectations ended with exit code {self._process.wait()}. "
                "Run again; if it was killed, this machine needs more memory."
            ) from error
        if isinstance(answer, str):
            raise ExpectationError(answer)
        return answer


def serve() -> None:
    """Validate what comes on stdin until it ends."""
    # Ctrl-C reaches the whole group; whoever asks ends this process.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    # Whatever a library prints is no answer.
    sys.stdout = sys.stderr
    _batch_definition()
    while True:
        try:
            table, frame, asked = pickle.load(sys.stdin.buffer)  # noqa: S301  (from the process that started this one)
        except EOFError:
            return
        try:
            answer: list[bool] | str = validate(table, frame, asked)
        except ExpectationError as error:
            answer = str(error)
        pickle.dump(answer, answers)
        answers.flush()
