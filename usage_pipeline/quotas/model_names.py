"""Reads the names that people and AWS give to a model into one comparable identity.

Here: foundation model ids, display names, and the model's label inside a quota name. Not here: the rest of a quota name
(`quota_names.py`) and whether two identities are the same model (`agreement.py`).
"""

import re
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from typing import Protocol

PROVIDER_SPELLINGS = {
    "ai21": "ai21",
    "ai21 labs": "ai21",
    "amazon": "amazon",
    "anthropic": "anthropic",
    "cohere": "cohere",
    "deepseek": "deepseek",
    "google": "google",
    "luma": "luma",
    "luma ai": "luma",
    "meta": "meta",
    "minimax": "minimax",
    "mistral": "mistral",
    "mistral ai": "mistral",
    "moonshot": "moonshot",
    "moonshot ai": "moonshot",
    "moonshotai": "moonshot",
    "nvidia": "nvidia",
    "openai": "openai",
    "qwen": "qwen",
    "stability": "stability",
    "stability ai": "stability",
    "twelve labs": "twelvelabs",
    "twelvelabs": "twelvelabs",
    "writer": "writer",
    "writer ai": "writer",
    "xai": "xai",
    "z ai": "zai",
    "zai": "zai",
}
"""How ids, display names and quota names write a model's provider, and the one word we use for it."""

# fmt: off
VARIANT_WORDS = frozenset({
    "chat", "code", "coder", "core", "embed", "english", "express", "flash", "image", "instruct", "large", "lite",
    "max", "maverick", "medium", "micro", "mini", "multilingual", "multimodal", "nano", "next", "omni", "oss",
    "plus", "premier", "preview", "pro", "reasoning", "safeguard", "scout", "small", "speech", "super", "text",
    "thinking", "tiny", "turbo", "ultra", "video", "vision", "vl",
})
# fmt: on
"""Words that tell models of one family apart. Any other word belongs to the family's name."""

INSTRUCT = "instruct"
"""The variant that a label may leave out: Bedrock serves instruction-tuned models."""

_SYNONYMS = {
    "embedding": "embed",
    "embeddings": "embed",
    "it": INSTRUCT,
    "stability.ai": "stability",
    "x.ai": "xai",
    "z.ai": "zai",
}
_IGNORED_WORDS = frozenset({"and", "bf16", "fp16", "fp8", "int8", "int4", "mxfp4", "nvfp4"})

_FULL_DATE = re.compile(r"20\d{6}")
_YEAR_AND_MONTH = re.compile(r"(2[3-9]|3\d)\.?(0[1-9]|1[0-2])")
_NUMBER = re.compile(r"\d{1,3}(\.\d{1,3})*")
_SIZE = re.compile(r"(a?\d+(?:\.\d+)?[bkm]|\d+x\d+b)b?")
_V_NUMBER = re.compile(r"v(\d+(?:\.\d+)*)")
_LETTER_AND_NUMBER = re.compile(r"[a-z]\d+(\.\d+)*")
_WORD_AND_NUMBER = re.compile(r"([a-z]{2,})(\d+(?:\.\d+)*)")
_MINOR_NUMBER = re.compile(r"\d{1,2}")
_ENDS_WITH_NUMBER = re.compile(r"([a-z]{2,})?\d{1,2}(\.\d{1,2})*")
_CONTEXT_SUFFIX = re.compile(r"(:\d+):\w+$")
_ID_API_VERSION = re.compile(r"[.-](?:v(?P<major>\d+)(?P<point>-\d+)?(?::(?P<minor>\d+))?|(?P<bare>\d+):\d+)$")


class NamedModel(Protocol):
    """A foundation model as ListFoundationModels describes it; the names are None when only the id is known."""

    @property
    def model_id(self) -> str:
        """Foundation model id, such as amazon.nova-lite-v1:0."""
        ...

    @property
    def model_name(self) -> str | None:
        """Display name, such as Nova Lite."""
        ...

    @property
    def provider_name(self) -> str | None:
        """Display name of the provider, such as Amazon."""
        ...


@dataclass(frozen=True)
class FoundationModel:
    """A foundation model by its id and the display names that AWS gives it."""

    model_id: str
    model_name: str | None = None
    provider_name: str | None = None


@dataclass(frozen=True)
class ModelIdentity:
    """What a name says about a model, in a form that can be compared.

    `version` is (4, 5) for 4.5 and () when the name states none; trailing zeros are dropped, so 3.0 equals 3.
    `api_version` is the number after V (V1, v2:0); None when not stated. `variants` holds sizes (70b, a22b) and words
    such as lite. `date` is YYYYMMDD or, as Mistral writes it, YYMM. `provider_words` are words of the provider that may
    stand before the model's own name.
    """

    provider: str | None
    family: frozenset[str]
    version: tuple[int, ...] = ()
    api_version: int | None = None
    variants: frozenset[str] = frozenset()
    date: str | None = None
    provider_words: frozenset[str] = field(default=frozenset(), compare=False, repr=False)

    @cached_property
    def sizes(self) -> frozenset[str]:
        """The variants that are numbers of parameters."""
        return frozenset(variant for variant in self.variants if _SIZE.fullmatch(variant))

    @cached_property
    def words(self) -> frozenset[str]:
        """Family and variant words without sizes and without `instruct`."""
        return (self.family | self.variants) - self.sizes - {INSTRUCT}

    @property
    def release(self) -> str | None:
        """The date when it is part of the model's name (2407), not of its id only (20250929)."""
        return self.date if self.date is not None and len(self.date) == 4 else None


@lru_cache(maxsize=4096)
def parse_model_label(label: str) -> ModelIdentity:
    """The identity that a display name or a quota's label states. Case, commas and runs of spaces do not matter."""
    reading = _Reading()
    for chunk in re.sub(r"[(),/_+]", _spaced, label.casefold()).split():
        for token in _split_at_hyphens(chunk):
            reading.add(token)
    return reading.identity()


@lru_cache(maxsize=4096)
def parse_model_id(model_id: str) -> ModelIdentity:
    """The identity that a foundation model id states, such as anthropic.claude-sonnet-4-5-20250929-v1:0."""
    prefix, _, body = base_model_id(model_id).casefold().partition(".")
    reading = _Reading()
    found = _ID_API_VERSION.search("." + body)
    if found:
        body = body[: max(found.start() - 1, 0)]
    for token in _split_at_hyphens(body):
        reading.add(token)
    if found:
        reading.add_id_version(found)
    return reading.identity(provider=PROVIDER_SPELLINGS.get(prefix, prefix))


def base_model_id(model_id: str) -> str:
    """The id without the context length that provisioned variants have: amazon.nova-lite-v1:0 of …-v1:0:300k."""
    return _CONTEXT_SUFFIX.sub(r"\1", model_id)


def model_identities(model: NamedModel) -> tuple[ModelIdentity, ...]:
    """What the model's id says, and what its display name says unless that is vaguer than the id or contradicts it.

    AWS's display names are not all right: in 2026 amazon.titan-embed-g1-text-02 was called Titan Text Embeddings v2.
    """
    from_id = parse_model_id(model.model_id)
    own_words = frozenset(re.findall(r"[a-z0-9]+", (model.provider_name or "").casefold()))
    own_words |= {from_id.provider or ""}
    from_id = _for_provider(from_id, from_id.provider, own_words)
    if not model.model_name:
        return (from_id,)
    from_name = _for_provider(parse_model_label(model.model_name), from_id.provider, own_words)
    return (from_id, from_name) if _is_as_exact(from_name, from_id) else (from_id,)


def _is_as_exact(from_name: ModelIdentity, from_id: ModelIdentity) -> bool:
    """Whether a display name says no less than the id, so that it alone can tell the model from its neighbours."""
    id_api, name_api = from_id.api_version or 1, from_name.api_version or 1
    if from_id.version:
        same_numbers = from_name.version == from_id.version and name_api == id_api
    elif id_api > 1:
        same_numbers = id_api in (name_api, *from_name.version)
    else:
        same_numbers = name_api == 1 or from_id.api_version is None
    same_release = from_id.release in (None, from_name.release)
    return same_numbers and same_release and not from_name.words < from_id.words


def _for_provider(identity: ModelIdentity, provider: str | None, own_words: frozenset[str]) -> ModelIdentity:
    return ModelIdentity(
        provider=provider,
        family=identity.family - own_words,
        version=identity.version,
        api_version=identity.api_version,
        variants=identity.variants,
        date=identity.date,
        provider_words=own_words,
    )


def _spaced(found: re.Match[str]) -> str:
    return " plus " if found.group() == "+" else " "


def _split_at_hyphens(chunk: str) -> list[str]:
    """Tokens of a hyphenated name; neighbouring short numbers are one version: claude-3-5 has 3.5."""
    tokens: list[str] = []
    for part in chunk.split("-"):
        if tokens and _MINOR_NUMBER.fullmatch(part) and _ENDS_WITH_NUMBER.fullmatch(tokens[-1]):
            tokens[-1] += f".{part}"
        elif part:
            tokens.append(part)
    return tokens


class _Reading:
    """Collects the tokens of one name and decides at the end what each number was."""

    def __init__(self) -> None:
        self.words: list[str] = []
        self.sizes: set[str] = set()
        self.versions: list[tuple[int, ...]] = []
        self.v_numbers: list[tuple[int, ...]] = []
        self.date: str | None = None

    def add(self, token: str) -> None:
        """Take the next token, in small letters and without punctuation other than a decimal point."""
        if _FULL_DATE.fullmatch(token) or _YEAR_AND_MONTH.fullmatch(token):
            self.date = token.replace(".", "")
        elif _NUMBER.fullmatch(token):
            self.versions.append(_numbers(token))
        elif size := _SIZE.fullmatch(token):
            self.sizes.add(size.group(1))
        elif v_number := _V_NUMBER.fullmatch(token):
            self.v_numbers.append(_numbers(v_number.group(1)))
        elif token in _IGNORED_WORDS:
            return
        elif token in PROVIDER_SPELLINGS or _LETTER_AND_NUMBER.fullmatch(token):
            self.words.append(token)
        elif word := _WORD_AND_NUMBER.fullmatch(token):
            self.words.append(word.group(1))
            self.add(word.group(2))
        else:
            self.words.append(_SYNONYMS.get(token, token))

    def add_id_version(self, found: re.Match[str]) -> None:
        """Take the end of a model id: v2:0 is V2; v1:1 and v2:1 are versions 1.1 and 2.1; v3-5:0 is version 3.5."""
        minor = int(found["minor"] or 0)
        major = int(found["major"] or found["bare"])
        if found["point"]:
            self.v_numbers.append((major, int(found["point"][1:])))
        elif minor and not self.versions:
            self.v_numbers.append((major, minor))
        else:
            self.v_numbers.append((major,))

    def identity(self, provider: str | None = None) -> ModelIdentity:
        """What was read. A name without a provider given may start with one."""
        stated, words = _provider_and_words(self.words)
        versions, extra = list(self.versions), set[str]()
        api_version = None
        for position, number in enumerate(self.v_numbers):
            if len(number) == 1 and position == len(self.v_numbers) - 1:
                api_version = number[0]
            elif not versions:
                versions.append(number)
            else:
                extra.add("v" + _dotted(number))
        extra.update(_dotted(number) for number in versions[1:])
        known = {word for word in words if word in VARIANT_WORDS}
        return ModelIdentity(
            provider=provider or stated,
            family=frozenset(words) - known,
            version=_without_trailing_zeros(versions[0]) if versions else (),
            api_version=api_version,
            variants=frozenset(known | self.sizes | extra),
            date=self.date,
        )


def _provider_and_words(words: list[str]) -> tuple[str | None, list[str]]:
    """The provider that a name starts with, and the words after it; a provider written twice is taken off twice."""
    provider: str | None = None
    while words:
        two = PROVIDER_SPELLINGS.get(" ".join(words[:2])) if len(words) > 1 else None
        found = two or PROVIDER_SPELLINGS.get(words[0])
        if found is None or (provider is not None and found != provider):
            break
        provider, words = found, words[2:] if two else words[1:]
    return provider, words


def _numbers(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in text.split("."))


def _dotted(numbers: tuple[int, ...]) -> str:
    return ".".join(str(number) for number in numbers)


def _without_trailing_zeros(numbers: tuple[int, ...]) -> tuple[int, ...]:
    end = len(numbers)
    while end > 1 and numbers[end - 1] == 0:
        end -= 1
    return numbers[:end]
