"""What a bot made of one bar, whether or not it traded: its opinion, and the first gate that was shut."""

from dataclasses import dataclass

from quantmatrix.signals.domain.bots.gates import Verdict
from quantmatrix.signals.domain.bots.scores import Action, Opinion
from quantmatrix.signals.domain.decisions import Because


@dataclass(frozen=True, slots=True)
class Judgement:
    """The verdict names the gate that was shut, with its figures; reasons are the figures behind the opinion."""

    opinion: Opinion
    verdict: Verdict
    reasons: tuple[Because, ...]

    @property
    def would_buy(self) -> bool:
        """Whether every gate to a purchase is open."""
        return self.verdict.is_open and self.opinion.action is Action.BUY
