"""What `qm check` calls a difference: what stays one, and not what was on its way between two services."""

from collections.abc import Sequence
from decimal import Decimal

import msgspec
from nats.aio.client import Client
from nats.aio.msg import Msg

from quantmatrix.common.contracts.asking.execution import AccountBook, Books
from quantmatrix.common.contracts.asking.portfolio import LedgerAccount, LedgerSums
from quantmatrix.common.contracts.asking.question import Reply
from quantmatrix.common.contracts.codec import encode
from quantmatrix.common.names import AccountId
from quantmatrix.common.runtime.asking import Ask
from quantmatrix.common.values import Money, Quantity
from quantmatrix.operations.checking import LOOKS_MAX, check
from quantmatrix.operations.testing import FreshBus

ACCOUNT = AccountId("DU0000001")


def usd(amount: str) -> Money:
    return Money(Decimal(amount), "USD")


def book(cash: str, shares: int) -> Books:
    """An account after so many purchases of one share at 100."""
    held = {"XNYS-ABC": Quantity(shares)}
    return Books(
        (
            AccountBook(
                account_id=ACCOUNT, currency="USD", opening_cash=usd("1000"), cash=usd(cash), broker_cash=usd(cash), positions=held,
                broker_positions=held, orders=shares, executions=shares, broker_orders=shares, broker_executions=shares,
                duplicate_orders=0, orders_without_intent=(), executions_not_booked=(), open_breaks=(),
            ),
        )
    )  # fmt: skip


def sums(cash: str, shares: int) -> LedgerSums:
    held, nothing = {"XNYS-ABC": Quantity(shares)}, usd("0")
    return LedgerSums(
        (
            LedgerAccount(
                account_id=ACCOUNT, opening_cash=usd("1000"), cash=usd(cash), cash_entries=usd(cash), realised_closings=nothing,
                realised_positions=nothing, basis_lots=usd("1000") - usd(cash), lots=held, positions=held, fills=shares,
                fill_ids_digest="", differences=(),
            ),
        )
    )  # fmt: skip


async def _answer(client: Client, verb: str, answers: Sequence[msgspec.Struct]) -> list[int]:
    """Answer a question with one after the other, the last one for ever; the list holds how often it was asked."""
    asked = [0]

    async def respond(message: Msg) -> None:
        answer = answers[min(asked[0], len(answers) - 1)]
        asked[0] += 1
        await message.respond(encode(Reply(answer=msgspec.Raw(encode(answer)))))

    await client.subscribe(verb, cb=respond)
    await client.flush()
    return asked


async def test_a_fill_under_way_is_no_difference(bus: FreshBus, ask: Ask) -> None:
    """Execution has booked two shares; the portfolio hears of the second one between the first look and the second."""
    await _answer(await bus.connect("execution"), "svc.execution.books", [book("800", 2)])
    asked = await _answer(await bus.connect("portfolio"), "svc.portfolio.ledger.sums", [sums("900", 1), sums("800", 2)])

    found = await check(ask)

    assert found and all(one.ok for one in found)
    assert asked == [2]


async def test_what_differs_at_every_look_is_a_difference(bus: FreshBus, ask: Ask) -> None:
    await _answer(await bus.connect("execution"), "svc.execution.books", [book("800", 2)])
    asked = await _answer(await bus.connect("portfolio"), "svc.portfolio.ledger.sums", [sums("900", 1)])

    wrong = {one.name: (one.left, one.right) for one in await check(ask) if not one.ok}

    assert asked == [LOOKS_MAX]
    assert wrong == {
        "position = execution's position": ("XNYS-ABC 1", "XNYS-ABC 2"),
        "position = venue position": ("XNYS-ABC 1", "XNYS-ABC 2"),
        "cash = venue cash": ("900 USD", "800 USD"),
        "venue executions = fills in the ledger": ("2", "1"),
    }
