"""The sentence that starts a run: `run ATR Options on tastytrade, $10k, 20% profit, 80% reinvest` and its sisters.

    run <strategy> on <broker>, $<amount>[k|m][, <n>% profit][, <n>% reinvest][, <n>% stop][, <n>% position]
        [, <daily|weekly|monthly|quarterly> rebalancing][, <name> allocation]
    sell premium with <strategy> on <broker>, ... as above

What follows the amount may stand in any order, each once. Nothing is guessed: a word that is not understood is named, with
what is possible in its place.
"""

import difflib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal, InvalidOperation

from quantmatrix.common.values import Money, plain

SENTENCE_MAX = 300
SELLING, SOLD_PREMIUM = "sell premium with", "short_premium"
SOLD_STOP_MAX = Decimal(500)
"""The loss in percent of a premium that a stop of sold premium may name."""
AMOUNT_MAX = Decimal(10) ** 12
FREQUENCIES = ("daily", "weekly", "monthly", "quarterly")
ALLOCATIONS = ("conservative", "balanced", "growth", "aggressive", "income")
BROKERS: Mapping[str, Sequence[str]] = {
    "paper": ("paper",),
    "ibkr": ("ibkr", "ib", "interactive brokers"),
    "etrade": ("etrade", "e*trade", "e-trade"),
    "tastytrade": ("tastytrade", "tasty trade", "tastyworks"),
    "coinbase": ("coinbase",),
    "alpaca": ("alpaca",),
}
_FACTORS = {"": Decimal(1), "k": Decimal(1_000), "m": Decimal(1_000_000)}
_AMOUNT = re.compile(r"\$\s*(?P<number>\d[\d,]*(?:\.\d+)?)\s*(?P<factor>[km]?)", re.IGNORECASE)
_PERCENT = re.compile(r"(?P<number>\d+(?:\.\d+)?)\s*%\s*(?P<what>.*)", re.IGNORECASE)
_CLAUSES = re.compile(r",(?!\d{3}(?:\D|$))")
_PERCENTAGES = {
    "profit": ("profit_target", Decimal(1), Decimal(1_000)),
    "reinvest": ("reinvest", Decimal(0), Decimal(100)),
    "stop": ("stop_loss", Decimal("0.1"), Decimal(100)),
    "position": ("max_position", Decimal("0.1"), Decimal(100)),
}
_POSSIBLE = ("20% profit", "80% reinvest", "5% stop", "10% position", "monthly rebalancing", "growth allocation")


@dataclass(frozen=True, slots=True)
class RunForm:
    """What was understood, for a person to confirm. Percentages are fractions; None leaves it to the strategy's own parameters.

    preset: of the strategy, where the sentence's own words choose one: sold premium.
    """

    strategy: str
    broker: str
    capital: Money
    profit_target: Decimal | None = None
    reinvest: Decimal | None = None
    stop_loss: Decimal | None = None
    max_position: Decimal | None = None
    rebalancing: str | None = None
    allocation: str | None = None
    preset: str | None = None

    def sentence(self) -> str:
        """The same form as a sentence; reading it again gives this form."""
        parts = [f"{SELLING if self.preset else 'run'} {self.strategy} on {self.broker}", f"${plain(self.capital.amount)}"]
        for word, (name, _, _) in _PERCENTAGES.items():
            value = getattr(self, name)
            if value is not None:
                parts.append(f"{plain(value * 100)}% {word}")
        parts += [f"{self.rebalancing} rebalancing"] if self.rebalancing else []
        parts += [f"{self.allocation} allocation"] if self.allocation else []
        return ", ".join(parts)


@dataclass(frozen=True, slots=True)
class NotUnderstood:
    """The part that is not understood, where it begins (from 0), why, and what would be possible there."""

    part: str
    position: int
    why: str
    possible: tuple[str, ...]

    def __str__(self) -> str:
        offered = f"; possible: {', '.join(self.possible)}" if self.possible else ""
        return f"{self.part!r} at {self.position + 1}: {self.why}{offered}"


def read_sentence(text: str, strategies: Mapping[str, str], brokers: Mapping[str, Sequence[str]] = BROKERS) -> RunForm | NotUnderstood:
    """Read one sentence. strategies: title by name, as the slot has them; brokers: spellings by name."""
    if len(text) > SENTENCE_MAX:
        return NotUnderstood(text[:20], 0, f"a sentence has at most {SENTENCE_MAX} characters", ())
    clauses = _split(text)
    head, position = clauses[0]
    found = _head(head, position, strategies, brokers)
    if isinstance(found, NotUnderstood):
        return found
    if len(clauses) < 2:
        return NotUnderstood("", len(text), "the amount is missing", ("$10k",))
    amount = _amount(*clauses[1])
    if isinstance(amount, NotUnderstood):
        return amount
    form = RunForm(found[0], found[1], amount, preset=SOLD_PREMIUM if _selling(head) else None)
    for clause, at in clauses[2:]:
        told = _clause(form, clause, at)
        if isinstance(told, NotUnderstood):
            return told
        form = told
    return form


def _split(text: str) -> list[tuple[str, int]]:
    """Clauses with the position of their first letter; a comma inside a number does not part."""
    found, start = [], 0
    for end in [*(match.start() for match in _CLAUSES.finditer(text)), len(text)]:
        part = text[start:end]
        found.append((part.strip().rstrip(".!").strip(), start + len(part) - len(part.lstrip())))
        start = end + 1
    return found


def _head(text: str, position: int, strategies: Mapping[str, str], brokers: Mapping[str, Sequence[str]]) -> tuple[str, str] | NotUnderstood:
    match = _selling(text) or re.fullmatch(r"(?P<verb>\S*)\s*(?P<rest>.*)", text, re.DOTALL)
    verb, rest = (match["verb"], match["rest"]) if match else ("", "")
    if " ".join(verb.lower().split()) not in ("run", "start", SELLING):
        return NotUnderstood(verb, position, f"a sentence begins with the word run, or with {SELLING}", ("run", SELLING))
    at = position + len(text) - len(rest)
    parted = re.search(r"\s+on\s+", rest, re.IGNORECASE)
    if parted is None:
        return NotUnderstood(rest, at, "the word on and a broker are missing", tuple(f"on {name}" for name in brokers))
    wanted, on = rest[: parted.start()], rest[parted.end() :]
    strategy = _strategy(wanted, at, strategies)
    if isinstance(strategy, NotUnderstood):
        return strategy
    spellings = {spelling: name for name, known in brokers.items() for spelling in (name, *known)}
    broker = spellings.get(" ".join(on.lower().split()))
    if broker is None:
        return NotUnderstood(on, at + parted.end(), "there is no such broker", _offer(on.lower(), spellings))
    return strategy, broker


def _selling(text: str) -> re.Match[str] | None:
    """The words with which premium is sold, and what follows them."""
    return re.fullmatch(r"(?P<verb>sell\s+premium\s+with)\s+(?P<rest>.*)", text, re.DOTALL | re.IGNORECASE)


def _strategy(wanted: str, position: int, strategies: Mapping[str, str]) -> str | NotUnderstood:
    """By name or title; the order of the words and their case do not matter."""
    spoken = _words(wanted)
    for name, title in strategies.items():
        if spoken in (_words(name), _words(title)):
            return name
    titles = {title.lower(): title for title in strategies.values()}
    return NotUnderstood(wanted, position, "there is no such strategy", _offer(wanted.lower(), titles))


def _words(text: str) -> list[str]:
    return sorted(re.findall(r"[a-z0-9]+", text.lower()))


def _offer(spoken: str, spellings: Mapping[str, str]) -> tuple[str, ...]:
    """What is spelled most like it; all there is when nothing is."""
    close = difflib.get_close_matches(spoken, list(spellings), n=3, cutoff=0.6)
    return tuple(dict.fromkeys(spellings[one] for one in close)) or tuple(sorted(set(spellings.values())))


def _amount(text: str, position: int) -> Money | NotUnderstood:
    match = _AMOUNT.fullmatch(text)
    try:
        value = Decimal(match["number"].replace(",", "")) * _FACTORS[match["factor"].lower()] if match else None
    except InvalidOperation:
        value = None
    if value is None:
        return NotUnderstood(text, position, "an amount is written like this", ("$10k", "$25,000", "$1.5m"))
    if not 0 < value < AMOUNT_MAX or value != value.quantize(Decimal("0.01")):
        return NotUnderstood(text, position, "an amount is above zero and has whole cents", ("$10k",))
    return Money(value, "USD")


def _clause(form: RunForm, text: str, position: int) -> RunForm | NotUnderstood:
    """One of the clauses after the amount."""
    if match := _PERCENT.fullmatch(text):
        return _percentage(form, text, position, match["number"], match["what"].strip().lower())
    words = text.lower().split()
    if len(words) == 2 and words[1] in ("rebalancing", "rebalance"):
        return _word(form, "rebalancing", words[0], FREQUENCIES, position)
    if len(words) == 2 and words[1] == "allocation":
        return _word(form, "allocation", words[0], ALLOCATIONS, position)
    return NotUnderstood(text, position, "this is not understood", _POSSIBLE)


def _percentage(form: RunForm, text: str, position: int, number: str, what: str) -> RunForm | NotUnderstood:
    word = next(
        (
            known
            for known in _PERCENTAGES
            if what.split() and what.split(maxsplit=1)[0] in (known, f"{known}s", f"{known}ment", f"{known}ed")
        ),
        None,
    )
    if word is None or len(what.split()) > 1 + (what.endswith((" target", " loss", " size"))):
        return NotUnderstood(text, position, "a percentage of what?", tuple(f"{number}% {known}" for known in _PERCENTAGES))
    name, least, most = _PERCENTAGES[word]
    most = SOLD_STOP_MAX if form.preset == SOLD_PREMIUM and name == "stop_loss" else most
    value = Decimal(number)
    if not least <= value <= most:
        return NotUnderstood(text, position, f"{word} lies between {least} % and {most} %", ())
    return _given_once(form, name, value / 100, text, position)


def _word(form: RunForm, name: str, word: str, known: Sequence[str], position: int) -> RunForm | NotUnderstood:
    if word not in known:
        return NotUnderstood(word, position, f"there is no such {name}", tuple(known))
    return _given_once(form, name, word, word, position)


def _given_once(form: RunForm, name: str, value: object, text: str, position: int) -> RunForm | NotUnderstood:
    if getattr(form, name) is not None:
        return NotUnderstood(text, position, "this was said before", ())
    return replace(form, **{name: value})  # type: ignore[arg-type]  # the name is one of the form's own
