"""What was decided, in short."""

from quantmatrix.common.contracts.signals import Reason, SignalRaised
from quantmatrix.common.testing.examples import like
from quantmatrix.signals.days import WHY_MAX, why_of


def _because(*texts: str) -> SignalRaised:
    return like(SignalRaised, reasons=tuple(Reason("REASON", True, text) for text in texts))


def test_reasons_that_are_short_stand_whole() -> None:
    assert why_of(_because("above its average", "61 units at 12.50")) == "above its average; 61 units at 12.50"


def test_long_reasons_end_after_a_whole_word() -> None:
    whole = "; ".join(f"reason{number} holds" for number in range(40))
    told = why_of(_because(*whole.split("; ")))
    assert len(told) <= WHY_MAX
    assert told.endswith(" …")
    assert whole.startswith(told.removesuffix(" …") + " ")
