"""The settings about prices: files of the user's own, and sources that are asked for newer prices.

Here: what may be set and the sentences for what may not. Not here: reading files and sources (`prices/`, `aws/`).
"""

from pathlib import Path
from typing import Annotated, Literal, Self, cast
from urllib.parse import urlsplit

from pydantic import BaseModel, BeforeValidator, ConfigDict, field_validator

from usage_pipeline.config_problems import quote

DEFAULT_OVERRIDES_FILE = "price_overrides.csv"
"""Read from the configuration file's folder when it is there and no other file is named."""

_ALLOWED_SOURCES = "snapshot, aws_price_list, or litellm_json with its address (litellm_json: https://…)"


class PriceSource(BaseModel):
    """One source of list prices; `address` is where LiteLLM's JSON is, None for the others."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: Literal["snapshot", "litellm_json", "aws_price_list"]
    address: str | None = None


def _source(value: object) -> PriceSource:
    """A source from a word, or from `litellm_json: address`."""
    if isinstance(value, PriceSource):
        return value
    if value in ("snapshot", "aws_price_list"):
        return PriceSource(name=value)
    if isinstance(value, dict) and set(entry := cast("dict[object, object]", value)) == {"litellm_json"}:
        return PriceSource(name="litellm_json", address=_checked_address(entry["litellm_json"]))
    raise ValueError(f"read {quote(value)}; allowed: {_ALLOWED_SOURCES}.")


def _checked_address(address: object) -> str:
    parts = urlsplit(address) if isinstance(address, str) else None
    if parts is None or parts.scheme not in ("https", "http") or not parts.hostname:
        raise ValueError(f"read {quote(address)}; allowed: an address that begins with https://.")
    if parts.username is not None:
        raise ValueError("the address has a user name or password in it; allowed: one that needs none.")
    return cast("str", address)


class PriceSettings(BaseModel):
    """Where prices come from. Relative paths lie under the configuration file's folder."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    file: Path | None = None
    sources: tuple[Annotated[PriceSource, BeforeValidator(_source)], ...] = (PriceSource(name="snapshot"),)
    overrides: Path | None = None

    @field_validator("sources")
    @classmethod
    def _each_source_once(cls, sources: tuple[PriceSource, ...]) -> tuple[PriceSource, ...]:
        names = [source.name for source in sources]
        if len(set(names)) < len(names):
            raise ValueError(f"read {', '.join(names)}; allowed: each source once.")
        return sources

    def in_folder(self, folder: Path) -> Self:
        """The same with absolute paths; a file of overrides that lies in the folder is taken when none is named."""
        overrides = self.overrides
        if overrides is None and (folder / DEFAULT_OVERRIDES_FILE).is_file():
            overrides = Path(DEFAULT_OVERRIDES_FILE)
        paths = {"file": self.file, "overrides": overrides}
        return self.model_copy(update={name: folder / path.expanduser() for name, path in paths.items() if path})

    def missing_files(self) -> dict[str, Path]:
        """Files that are named and are not there, by setting."""
        paths = {"file": self.file, "overrides": self.overrides}
        return {name: path for name, path in paths.items() if path is not None and not path.is_file()}
