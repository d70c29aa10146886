"""Bad files and an import that dies, over HTTP: nothing is booked, the sentence says where, and nothing personal is logged."""

import json
from typing import Any
from uuid import uuid5

import pytest
from services.gateway.tests.running import Console
from services.gateway.tests.test_statements import book, hand_in
from services.portfolio.tests.importers.chained_samples import FEBRUARY, JANUARY
from services.portfolio.tests.importers.samples import FLEX_XML

from quantmatrix.common.ids import NAMESPACE
from quantmatrix.common.testing.here import StartHere

NAME, NUMBER, TOLD = "Jane Q Sample", "U7654321", "Wire from jane at example"
PRIVATE = (
    JANUARY.replace("Account Information,Data,Account,", f"Account Information,Data,Name,{NAME}\nAccount Information,Data,Account,")
    .replace("U0000001", NUMBER)
    .replace("Electronic Fund Transfer", TOLD)
)  # fmt: skip
BOMB = '<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">]>' + FLEX_XML.split("?>", 1)[1]


def deposit(amount: str) -> bytes:
    line = next(line for line in PRIVATE.splitlines() if TOLD in line)
    return PRIVATE.replace(line, f"{line.rsplit(',', 1)[0]},{amount}").encode()


BAD = {
    "cut in a row": PRIVATE[: PRIVATE.rindex("\n", 0, len(PRIVATE) // 2) + 20].encode(),
    "latin": PRIVATE.replace(NAME, "Jané Sample").encode("latin-1"),
    "utf-16": PRIVATE.encode("utf-16"),
    "binary": bytes(range(256)) * 40,
    "workbook": b"PK\x03\x04" + b"\x00" * 200,
    "empty": b"",
    "nan": deposit("NaN"),
    "huge number": deposit("1e999"),
    "misplaced commas": deposit('"1,00,0"'),
    "formula": deposit("=HYPERLINK(1)"),
    "bomb": BOMB.encode(),
    "spreadsheet": PRIVATE.replace(",", ";").encode(),
    "nothing known": f"name,number\n{NAME},{NUMBER}\n".encode(),
}
SAID_FOR = {"cut in a row", "bomb", "binary", "workbook", "empty", "nothing known", "latin", "utf-16", "spreadsheet"}
"""Files that are refused for what they are as a whole; of the others the sentence names a line."""
TABLES = ("statement_entry", "lot", "closing", "cash_entry", "account", "statement_account")


async def give(console: Console, name: str, body: bytes) -> str:
    upload = str(uuid5(NAMESPACE, name))
    answer = await console.client.put(
        f"/api/v1/statements/uploads/{upload}?name={name}.csv", content=body, headers={"X-CSRF-Token": console.csrf}
    )
    assert answer.status_code == 200, answer.text
    return upload


async def counts(database: Any) -> dict[str, int]:
    return {table: (await database.fetch("portfolio", f"select count(*) from {table}"))[0][0] for table in TABLES}


async def test_bad_files_are_refused_whole_and_nothing_personal_is_said_or_logged(
    console: Console, start_here: StartHere, database: Any, capfd: pytest.CaptureFixture[str]
) -> None:
    await start_here("portfolio")
    await console.log_in()
    before = await counts(database)

    files = await book(console, *[await give(console, name, body) for name, body in BAD.items()])

    assert {one["file"]: (one["state"], one["booked"]) for one in files} == {f"{name}.csv": ("failed", 0) for name in BAD}
    assert await counts(database) == before
    for one in files:
        assert one["why"].startswith("line ") or one["file"].removesuffix(".csv") in SAID_FOR, one
    (good,) = await book(console, await hand_in(console, "good.csv", PRIVATE))
    assert (good["state"], good["booked"]) == ("completed", 4)
    logged = "".join(capfd.readouterr())
    trail = json.dumps([dict(row) for row in await database.fetch("gateway", "select * from audit")], default=str)
    for private in (NAME, NUMBER, TOLD):
        assert private not in logged + trail + json.dumps([one["why"] for one in files])


async def test_an_import_that_dies_books_nothing_and_can_be_handed_in_again(console: Console, start_here: StartHere, database: Any) -> None:
    """The database ends the connection in the last statement of the first file, when the lots are there already."""
    await start_here("portfolio")
    await console.log_in()
    owner = await database.connect("portfolio")
    await owner.execute(
        "create function stop() returns trigger language plpgsql as 'begin perform pg_terminate_backend(pg_backend_pid()); return new; end'"
    )
    await owner.execute("create trigger stop before insert on cash for each row execute function stop()")
    before = await counts(database)
    uploads = [await hand_in(console, f"{name}.csv", text) for name, text in {"january": JANUARY, "february": FEBRUARY}.items()]

    failed = await console.post("/api/v1/statements/", {"uploads": uploads})

    assert failed.status_code == 503, failed.text
    assert await counts(database) == before
    await owner.execute("drop trigger stop on cash")
    again = [await hand_in(console, f"{name}.csv", text) for name, text in {"january": JANUARY, "february": FEBRUARY}.items()]
    assert [(one["state"], one["booked"]) for one in await book(console, *again)] == [("completed", 4), ("completed", 2)]
