"""Statements handed in over HTTP: streamed in parts, booked, shown with their figures; breaks resolved with a reason."""

import asyncio
from typing import Any
from uuid import UUID, uuid5

from services.gateway.tests.running import Console
from services.portfolio.tests.importers.activity_samples import STATEMENT
from services.portfolio.tests.importers.chained_samples import FEBRUARY, JANUARY

from quantmatrix.common.ids import NAMESPACE
from quantmatrix.common.testing.here import StartHere
from quantmatrix.gateway.security import UPLOAD_BYTES_MAX

ROWS = 1_200
LONG = "date,kind,currency,id,account,symbol,quantity,price,fee,text\n" + "".join(
    f"2024-03-{1 + number % 28:02},trade,USD,t{number},long,ABC,{'-' if number % 2 else ''}10,{100 + number % 7},1,{'x' * 250}\n"
    for number in range(ROWS)
)
"""More than one part."""


async def hand_in(console: Console, name: str, text: str) -> str:
    upload = str(uuid5(NAMESPACE, name + text))
    answer = await console.client.put(
        f"/api/v1/statements/uploads/{upload}?name={name}", content=text.encode(), headers={"X-CSRF-Token": console.csrf}
    )
    assert answer.status_code == 200, answer.text
    assert answer.json() == {"bytes": len(text.encode())}
    return upload


async def book(console: Console, *uploads: str, **more: str) -> list[dict[str, Any]]:
    answer = await console.post("/api/v1/statements/", {"uploads": list(uploads), **more})
    assert answer.status_code == 200, answer.text
    files: list[dict[str, Any]] = answer.json()["files"]
    return files


async def test_files_are_handed_in_booked_and_shown(console: Console, start_here: StartHere, database: Any) -> None:
    await start_here("portfolio")
    await console.log_in()

    uploads = [await hand_in(console, f"{name}.csv", text) for name, text in {"january": JANUARY, "february": FEBRUARY}.items()]
    files = await book(console, *uploads, treatment="tax-deferred")

    assert [(one["file"], one["state"], one["status"], one["booked"]) for one in files] == [
        ("january.csv", "completed", "reconciled", 4), ("february.csv", "completed", "reconciled", 2),
    ]  # fmt: skip
    summary = (await console.get("/api/v1/portfolio/summary")).json()
    assert [(one["broker"], one["cash"]["amount"]) for one in summary["accounts"]] == [("ibkr", "8522.5")]
    page = (await console.get("/statements")).text
    assert "january.csv" in page and "february.csv" in page and files[0]["account_ids"][0] in page
    said = (await console.get("/api/v1/statements/")).json()
    assert [one["treatment"] for one in said["accounts"]] == ["tax-deferred"]
    assert await database.fetch("portfolio", "select * from statement_upload") == []
    trail = await database.fetch("gateway", "select about, after from audit where action = 'statements.booked'")
    assert len(trail) == 1


async def test_a_file_of_several_parts_arrives_whole_and_is_booked_once(console: Console, start_here: StartHere) -> None:
    await start_here("portfolio")
    await console.log_in()

    (first,) = await book(console, await hand_in(console, "long.csv", LONG), account_id="long")
    (again,) = await book(console, await hand_in(console, "long.csv", LONG), account_id="long")

    assert len(LONG.encode()) > 256 * 1024
    assert (first["rows"], first["booked"], first["account_ids"]) == (ROWS, ROWS, ["long"])
    assert (again["booked"], again["duplicates"]) == (0, ROWS)


async def test_one_bad_file_among_good_ones_fails_alone_and_says_why(console: Console, start_here: StartHere) -> None:
    await start_here("portfolio")
    await console.log_in()
    bad = STATEMENT.replace("Ending Value,203799", "Ending Value,203798")

    good, failed = await book(console, await hand_in(console, "good.csv", JANUARY), await hand_in(console, "bad.csv", bad))

    assert (good["state"], failed["state"], failed["account_ids"]) == ("completed", "failed", [])
    assert failed["why"] == "the file contradicts itself: I6 by -1 USD"
    assert [one["amount"] if "amount" in one else one["difference"] for one in failed["identities"]["I6"]["differences"]] == ["-1"]


async def test_what_is_not_all_there_is_refused(console: Console, start_here: StartHere) -> None:
    await start_here("portfolio")
    await console.log_in()

    answer = await console.post("/api/v1/statements/", {"uploads": [str(UUID(int=1))]})

    assert answer.json()["code"] == "UPLOAD_INCOMPLETE"
    assert "hand it in again" in answer.json()["detail"]


async def test_a_file_beyond_the_limit_is_refused_before_it_is_read(console: Console) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", console.port)
    head = f"PUT /api/v1/statements/uploads/{UUID(int=1)}?name=a HTTP/1.1\r\nHost: x\r\nContent-Length: {UPLOAD_BYTES_MAX + 1}\r\n\r\n"
    writer.write(head.encode())
    await writer.drain()

    answer = await asyncio.wait_for(reader.readline(), 60)

    writer.close()
    assert b"413" in answer


async def test_a_stranger_hands_nothing_in(console: Console) -> None:
    answer = await console.client.put(f"/api/v1/statements/uploads/{UUID(int=1)}?name=a", content=b"x")

    assert answer.status_code == 401
