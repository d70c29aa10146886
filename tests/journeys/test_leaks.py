"""The search for secrets finds them: it would prove nothing otherwise."""

import base64
from urllib.parse import quote_plus

import pytest
from tests.journeys.leaks import found_in

SECRET = "p/4+ü und weiter-so_0f1e2d3c"


@pytest.mark.parametrize("before", range(6))
@pytest.mark.parametrize("encode", [base64.b64encode, base64.urlsafe_b64encode], ids=["base64", "of addresses"])
def test_a_secret_is_found_wherever_it_stands_in_what_was_encoded(before: int, encode: object) -> None:
    text = encode(b"user:x"[:before] + SECRET.encode() + b" and more")  # type: ignore[operator]  # one of the two above

    assert found_in({"one": SECRET, "another": "something else"}, [("a file", b"so " + text + b" it goes")]) == ["one in a file"]


@pytest.mark.parametrize("text", [SECRET.encode(), quote_plus(SECRET).replace("+", "%20").encode(), SECRET.encode().hex().encode()])
def test_a_secret_is_found_plain_in_an_address_and_in_bytes_as_the_database_shows_them(text: bytes) -> None:
    assert found_in({"one": SECRET}, [("a row", b"\\x00" + text)]) == ["one in a row"]


def test_what_is_no_secret_is_not_found() -> None:
    assert found_in({"one": SECRET}, [("a file", SECRET.encode()[:-1]), ("another", b"")]) == []
