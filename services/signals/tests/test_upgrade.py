"""Runs that were at work before they had a ledger: the upgrade gives them one that is their state."""

import importlib.util
from pathlib import Path
from typing import Any

from quantmatrix.common.ids import derived_id
from quantmatrix.common.testing.examples import USER, usd
from quantmatrix.common.values import Quantity
from quantmatrix.signals.domain.book import rebuilt
from quantmatrix.signals.domain.ledger import summed
from quantmatrix.signals.ledgers import LedgerStore
from quantmatrix.signals.store import SignalsStore

VERSIONS = Path(__file__).parents[1] / "migrations" / "versions"
HOLDS, FLAT = derived_id("a run that holds"), derived_id("a run that is flat")


def script(name: str) -> str:
    """What a migration does."""
    spec = importlib.util.spec_from_file_location(name, next(VERSIONS.glob(f"{name}_*.py")))
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return str(module.TABLES)


async def test_runs_of_before_get_accounts_ledgers_and_facts(database: Any) -> None:
    connection = await database.connect("signals")
    await connection.execute("create temporary table marker (); set search_path to pg_temp")
    await connection.execute(script("0001"))
    await connection.execute(script("0002"))
    await connection.execute(
        f"""
        insert into instrument values ('A', 'A', 'stock', 'USD', 1, 0.01, 1, 'XNYS'), ('B', 'B', 'stock', 'USD', 1, 0.01, 1, 'XNYS');
        insert into run (run_id, user_id, account_id, strategy, triggered_by, state, currency, base, cash, started_at) values
            ('{HOLDS}', '{USER}', 'OLD-1', 'atr_matrix', 'run:one', 'running', 'USD', 1000, 399.99, '2024-01-02T00:00Z'),
            ('{FLAT}', '{USER}', 'OLD-2', 'atr_matrix', 'run:two', 'running', 'USD', 1000, 1234.5, '2024-01-02T00:00Z');
        insert into holding values ('{HOLDS}', 'A', 3, 5, 9.5, '{{7, 8}}'), ('{HOLDS}', 'B', 1, 1, null, '{{}}');
        """
    )

    await connection.execute(script("0003"))

    ledger, store = LedgerStore(connection), SignalsStore(connection)
    for run in await store.runs():
        rows = [row.entry for row in await ledger.entries(run.run_id)]
        assert [str(row.kind) for row in rows] == ["opened", "carried"]
        assert summed(rows, "USD") == run.capital and run.entries == 2
        held = await store.holdings(run.run_id)
        for instrument, holding in held.items():
            assert rebuilt(await ledger.facts(run.run_id, instrument, "USD")) == holding
        costs = [holding.cost for holding in held.values() if holding.cost is not None]
        assert sum(cost.amount for cost in costs) == run.capital.invested.amount
    one, two = await ledger.run(HOLDS), await ledger.run(FLAT)  # type: ignore[arg-type]
    assert one is not None and two is not None
    assert (one.cash, two.cash, two.capital.realised) == (usd("399.99"), usd("1234.5"), usd("234.5"))
    assert (await store.holdings(HOLDS))["A"].levels_done == {7, 8}  # type: ignore[arg-type, index]
    assert (await store.holdings(HOLDS))["A"].initial == Quantity(5)  # type: ignore[arg-type, index]
    assert [account.account_id for account in await ledger.accounts(USER)] == ["OLD-1", "OLD-2"]
