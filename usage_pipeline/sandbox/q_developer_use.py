"""Who uses Amazon Q Developer and Kiro, and for what: people, their requests, and the activity of each day.

Here: facts and numbers, from which files and truth are made. Not here: the files (`q_developer_files.py`), the truth
(`q_developer_truth.py`).
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from functools import cached_property
from hashlib import sha256
from random import Random
from typing import Literal

from usage_pipeline.sandbox.log_bodies import MARKER
from usage_pipeline.sandbox.options import SandboxOptions
from usage_pipeline.sandbox.organisation import account_id_of

Role = Literal["regular", "idle", "heavy_dev", "rising_dev", "spike", "long_conversation"]
Product = Literal["q_developer", "kiro"]
Kind = Literal["chat", "inline", "dev"]

ACCOUNT_ID = account_id_of("production")
REGIONS: Mapping[Product, str] = {"q_developer": "eu-central-1", "kiro": "us-east-1"}
"""Where the profiles are: Amazon Q Developer's in a Region in which no Bedrock is used."""

IDENTITY_STORE = "d-9967750123"

_WORDS = """
    code function table query error test value list return method class object string number result file line
    update change check write read build server client request response data model user time name type index
    search field column row page open close start stop first last next step loop input output
"""

WORDS = tuple(_WORDS.split())
"""Each is one token of o200k_base, also after a space: so texts of them have as many tokens as words."""

MARKER_TOKENS = 11
"""Tokens (o200k_base) of MARKER, with which every prompt begins."""

KIRO_DAYS = 7
"""How long ago the people of Kiro began with it; before that they did not log."""

LONG_ANSWERS, LONG_ANSWER_WORDS = 40, 4_000
"""One conversation has so many answers of so many words: 164,440 tokens, of a context window of 200,000."""

HEAVY_DEV_TASKS = 13
"""/dev tasks of one person on the first day of a month and again on the second: 26 of the 30 that a month has."""


@dataclass(frozen=True)
class Person:
    """Somebody with a subscription."""

    name: str
    role: Role
    product: Product = "q_developer"

    @cached_property
    def user_id(self) -> str:
        """As in IAM Identity Center."""
        return _uuid(f"person/{self.name}")

    @property
    def logged_user_id(self) -> str:
        """As prompt logs write it: with the identity store."""
        return f"{IDENTITY_STORE}.{self.user_id}"


PEOPLE = (
    Person("ada", "regular"),
    Person("bela", "regular"),
    Person("chidi", "regular"),
    Person("dana", "regular"),
    Person("emre", "regular"),
    Person("farah", "heavy_dev"),
    Person("goran", "rising_dev"),
    Person("hana", "spike"),
    Person("ines", "long_conversation"),
    Person("jonas", "regular", "kiro"),
    Person("kiri", "regular", "kiro"),
    Person("lev", "idle", "kiro"),
)
_ON_CALL = ("ada", "bela")
"""Who also works at weekends."""


@dataclass(frozen=True)
class Exchange:
    """One request. `sent` and `received` are the words of each text; the marker comes before the first that is sent.

    Chat has one text each way, inline two and one or more, /dev one and none.
    """

    number: int
    person: Person
    kind: Kind
    ts: datetime
    sent: tuple[int, ...]
    received: tuple[int, ...]
    conversation_id: str | None
    request_id: str

    @property
    def sent_texts(self) -> list[str]:
        """The prompt, or the code on both sides of the cursor."""
        first, *others = (text_of(words, self.number) for words in self.sent)
        return [f"{MARKER} {first}", *others]

    @property
    def received_texts(self) -> list[str]:
        """The answer, or the completions."""
        return [text_of(words, self.number + 1) for words in self.received]


def text_of(words: int, start: int) -> str:
    """So many words, in an order that depends on `start`."""
    first = start % len(WORDS)
    turned = WORDS[first:] + WORDS[:first]
    return " ".join((turned * (words // len(WORDS) + 1))[:words])


@dataclass(frozen=True)
class DayOfUse:
    """The requests of one UTC day, in order of time. `is_over` once the sandbox's clock has passed its end."""

    day: date
    exchanges: tuple[Exchange, ...]
    is_over: bool

    def count(self, person: Person, kind: Kind) -> int:
        """How many requests of a kind somebody sent."""
        return sum(exchange.person is person and exchange.kind == kind for exchange in self.exchanges)

    def people(self, product: Product) -> list[Person]:
        """Who used the product."""
        active = {exchange.person for exchange in self.exchanges}
        return [person for person in PEOPLE if person in active and person.product == product]


def days_of_use(options: SandboxOptions) -> list[DayOfUse]:
    """Every day of the sandbox, the one of its clock last; equal options give equal days."""
    today = options.end.date()
    days = [today - timedelta(days=ago) for ago in range(options.days, -1, -1)]
    return [_day_of_use(day, (today - day).days, options) for day in days]


def _day_of_use(day: date, days_ago: int, options: SandboxOptions) -> DayOfUse:
    chance = Random(f"{options.seed}/q-developer/{day}")  # noqa: S311  (not a secret)
    found: list[Exchange] = []
    for person in PEOPLE:
        for kind, count in _counts(person, day, days_ago, chance).items():
            conversation = _uuid(f"{options.seed}/{person.name}/{kind}/{day}") if kind != "inline" else None
            for _ in range(count):
                number = day.toordinal() * 1000 + len(found)
                found.append(_exchange(number, person, kind, day, conversation, chance))
    found += [_long_answer(n, day, len(found) + n, options) for n in range(LONG_ANSWERS if days_ago == 1 else 0)]
    known_until = options.end - timedelta(minutes=2)
    known = sorted((exchange for exchange in found if exchange.ts < known_until), key=lambda exchange: exchange.ts)
    return DayOfUse(day, tuple(known), is_over=days_ago > 0)


def _counts(person: Person, day: date, days_ago: int, chance: Random) -> dict[Kind, int]:
    """How much somebody does on a day; the same draws for everybody, so that no role changes another's day."""
    chat, inline = chance.randint(1, 4), chance.randint(2, 6)
    if person.role == "idle" or (person.product == "kiro" and days_ago > KIRO_DAYS):
        return {}
    if person.role == "spike" and days_ago == 2:
        return {"chat": 30, "inline": 20}
    if person.role == "heavy_dev" and day.day <= 2:
        return {"dev": HEAVY_DEV_TASKS}
    if person.role == "rising_dev":
        # Every other day two or three: 18 or 19 in the first half of a month, more than 30 by its end.
        return {} if day.day % 2 else {"dev": 3 if day.day % 4 == 0 else 2}
    if day.weekday() >= 5 and person.name not in _ON_CALL:
        return {}
    return {"chat": chat} if person.product == "kiro" or day.weekday() >= 5 else {"chat": chat, "inline": inline}


def _exchange(
    number: int, person: Person, kind: Kind, day: date, conversation_id: str | None, chance: Random
) -> Exchange:
    ts = datetime.combine(day, time(8)) + timedelta(microseconds=chance.randrange(10 * 3_600_000_000))
    words = [chance.randint(5, 40) for _ in range(5)]
    sent, received = {
        "chat": (words[:1], words[1:2]),
        "inline": (words[:2], words[2 : 3 + words[0] % 3]),
        "dev": (words[:1], []),
    }[kind]
    return Exchange(
        number, person, kind, ts, tuple(sent), tuple(received), conversation_id, _uuid(f"request/{number}/{ts}")
    )


def _long_answer(n: int, day: date, place: int, options: SandboxOptions) -> Exchange:
    """One question of the long conversation, 7 minutes after the one before."""
    (person,) = (person for person in PEOPLE if person.role == "long_conversation")
    ts = datetime.combine(day, time(9)) + timedelta(minutes=7 * n)
    conversation = _uuid(f"{options.seed}/long/{day}")
    number = day.toordinal() * 1000 + place
    return Exchange(
        number, person, "chat", ts, (100,), (LONG_ANSWER_WORDS,), conversation, _uuid(f"request/long/{n}/{day}")
    )


def _uuid(text: str) -> str:
    digits = sha256(text.encode()).hexdigest()
    return f"{digits[:8]}-{digits[8:12]}-4{digits[13:16]}-8{digits[17:20]}-{digits[20:32]}"


def exchanges_of(days: list[DayOfUse]) -> Iterator[Exchange]:
    """All requests, in order of time."""
    return (exchange for day in days for exchange in day.exchanges)
