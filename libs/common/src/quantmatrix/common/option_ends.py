"""What becomes of option contracts that are still there at their end: shares change hands at the strike, or they expire."""

from dataclasses import dataclass
from decimal import ROUND_FLOOR, Context, Decimal

from quantmatrix.common.names import ContractEnding, Side
from quantmatrix.common.options import CONTRACT_SIZE, OptionTerms, calls_covered
from quantmatrix.common.values import Money, Price, Quantity, notional

IN_THE_MONEY_MIN = Price(Decimal("0.01"))
"""From here on a contract is exercised without anybody asking for it (OCC rule 805, exercise by exception)."""
_NONE = Quantity(0)
_WHOLE = Context(prec=64, rounding=ROUND_FLOOR)


@dataclass(frozen=True, slots=True)
class ContractEnd:
    """Contracts (above zero) that ended. side: of the trade that would have closed them; price: what each closed at, zero but for a settlement.

    shares: what is delivered, zero for none; share_side: whether the account gets or gives them; paid: for all of them, a hundred
    times the strike for each contract.
    """

    how: ContractEnding
    contracts: Quantity
    side: Side
    price: Price
    shares: Quantity
    share_side: Side
    paid: Money

    @property
    def delivers(self) -> bool:
        """Whether shares change hands."""
        return bool(self.shares)

    @property
    def cash(self) -> Money:
        """What the account gets for it, below zero where it pays; without commission."""
        closing = notional(self.price, self.contracts, CONTRACT_SIZE, self.paid.currency).times(Decimal(-self.side.sign))
        return closing + self.paid.times(Decimal(-self.share_side.sign)) if self.delivers else closing


def ends_of(
    terms: OptionTerms, held: Quantity, inside: Price, deliverable: Quantity, cash: Money, shares: Quantity
) -> tuple[ContractEnd, ...]:
    """How contracts end that an account holds (below zero: has sold) at the close of their last day.

    inside: what one is in the money by, as `worth_at_the_end` has it; below a cent it expires. cash and shares: what the account has free of
    anything else to pay for an exercised call, and to deliver. From a cent on a put that was sold is assigned whatever there is,
    since its cash was secured; all else is delivered as far as whole contracts are carried, and what is not carried is settled at what it
    is in the money by. No short stock, no loan: Interactive Brokers closes such positions before they end ("Expiration & Corporate
    Action Related Liquidations"), here at the close that decides. Deliveries cost no commission, as there.
    """
    if not held:
        return ()
    contracts, side = abs(held), Side.BUY if held < _NONE else Side.SELL
    if inside < IN_THE_MONEY_MIN:
        return (_end(terms, ContractEnding.EXPIRY, contracts, side, cash.currency),)
    gets = (terms.kind == "put") is (held < _NONE)
    carried = _carried(terms, contracts, side, deliverable, cash, shares, gets=gets)
    how = ContractEnding.ASSIGNMENT if side is Side.BUY else ContractEnding.EXERCISE
    found = []
    if carried:
        found.append(delivered(terms, how, carried, deliverable, cash.currency))
    if carried < contracts:
        found.append(_end(terms, ContractEnding.SETTLEMENT, contracts - carried, side, cash.currency, inside))
    return tuple(found)


def delivered(terms: OptionTerms, how: ContractEnding, contracts: Quantity, deliverable: Quantity, currency: str) -> ContractEnd:
    """Contracts that were exercised or assigned, at their end or before it."""
    short = how is ContractEnding.ASSIGNMENT
    gets = (terms.kind == "put") is short
    return ContractEnd(
        how=how,
        contracts=contracts,
        side=Side.BUY if short else Side.SELL,
        price=Price(0),
        shares=Quantity(contracts.value * deliverable.value),
        share_side=Side.BUY if gets else Side.SELL,
        paid=notional(terms.strike, contracts, CONTRACT_SIZE, currency),
    )


def _carried(
    terms: OptionTerms, contracts: Quantity, side: Side, deliverable: Quantity, cash: Money, shares: Quantity, *, gets: bool
) -> Quantity:
    """Of these contracts, those whose delivery the account carries."""
    if gets and side is Side.BUY:
        return contracts
    if not gets:
        return min(contracts, calls_covered(shares, deliverable))
    each = notional(terms.strike, Quantity(1), CONTRACT_SIZE, cash.currency).amount
    return min(contracts, Quantity.in_lots(_WHOLE.divide(max(cash.amount, Decimal(0)), each), Quantity(1)))


def _end(
    terms: OptionTerms, how: ContractEnding, contracts: Quantity, side: Side, currency: str, price: Price | None = None
) -> ContractEnd:
    return ContractEnd(how, contracts, side, price or Price(0), _NONE, side, Money.zero(currency))
