"""What can go wrong: whose turn it is and which sentence says so; which failure an HTTP status is, and until when."""

from __future__ import annotations

import email.utils
from pathlib import Path

import pytest

from source_binance_futures.binance import errors
from source_binance_futures.binance.errors import (
    DEFAULT_PAUSE,
    AddressRefused,
    AnsweredByPage,
    BinanceError,
    HandshakeRefused,
    LocationRefused,
    Owner,
    RateLimited,
    refusal,
    retry_after,
)

USER, EXCHANGE, US = Owner.USER, Owner.EXCHANGE, Owner.US
HOST = "dstream.binance.com"
NOW = 1_790_000_000.0
WEEK = 7 * 86400
SAMPLES: list[tuple[BinanceError, Owner, str]] = [
    (errors.AddressNotFound("host"), EXCHANGE, "DNS"),
    (errors.AddressForbidden("host"), USER, "your own Airbyte"),
    (errors.Unreachable("host", 443, "no answer in time"), EXCHANGE, "`proxy_url`"),
    (errors.NoThread("No connection to host was tried"), EXCHANGE, "Raise its limit of processes"),
    (errors.TlsUnusable("SSL_CERT_FILE names /nowhere, which cannot be used (it is one)"), USER, "SSL_CERT_FILE"),
    (
        errors.TlsFailed("host", "its certificate has expired", "Check the clock."),
        EXCHANGE,
        "expired. Check the clock.",
    ),
    (errors.ProxyFailed("http://proxy:3128", "403 forbidden"), EXCHANGE, "`proxy_url`"),
    (errors.ProxyRefused("http://proxy:3128"), USER, "user and password"),
    (errors.ProxyTakesNoBasic("http://proxy:3128", "NTLM"), USER, "it takes NTLM only"),
    (errors.ProxyUnusable("HTTPS_PROXY", "is no address"), USER, "HTTPS_PROXY is no address."),
    (errors.HandshakeFailed("host", "no answer in time"), EXCHANGE, "Check the address"),
    (errors.SymbolRefused("BTCSTUSDT", -1122, "Invalid symbol status."), USER, "BTCSTUSDT"),
    (errors.HandshakeRefused("host", 503), EXCHANGE, "HTTP status 503"),
    (errors.AnsweredByPage("host", 302, " at login.example"), EXCHANGE, "a page of its own at login.example."),
    (errors.AddressRefused("host", 404), USER, "HTTP status 404. Check the address"),
    (errors.LocationRefused("host", 451), USER, "country"),
    (errors.ClosedByExchange(1008, " (Too many requests)"), EXCHANGE, "code 1008 (Too many requests)"),
    (errors.ProtocolViolation(1009, "a frame of 9 bytes"), EXCHANGE, "code 1009"),
    (errors.RateLimited("host", 429, NOW, NOW), EXCHANGE, "too many requests"),
    (errors.RateLimited("host", 418, NOW, NOW), EXCHANGE, "banned this IP address"),
    (errors.RateLimited("host", 418, 1790373637.789, NOW), EXCHANGE, "answers again after 2026-09-25 22:00:37 UTC."),
    (errors.ExchangeUnavailable("status 503"), EXCHANGE, "Try again in a few minutes"),
    (errors.NoAnswer("host", 10.0), EXCHANGE, "gave no answer to ticker.price within 10 seconds."),
    (errors.NoAnswer("host", 5.89077), EXCHANGE, "within 6 seconds."),
    (errors.UnknownSymbols("A, B"), USER, "A, B"),
    (errors.RequestRefused(400, -1102, "Mandatory parameter"), US, "code -1102: Mandatory parameter"),
    (errors.UnreadableAnswer("not JSON: <html>"), US, "not JSON"),
    (
        errors.NothingHeard(60, "host is mute", connected=False),
        EXCHANGE,
        "came about, in the whole listening window of 60",
    ),
    (errors.NothingHeard(60, "it was closed", connected=True), EXCHANGE, "before its first update, in the whole"),
    (errors.NothingHeard(60, "it was closed.", connected=True), EXCHANGE, "window of 60 seconds. It was closed."),
    (errors.OnlyMalformedFrames("host", 7), EXCHANGE, "7 frames"),
    (errors.Interrupted(), EXCHANGE, "Start it again"),
    (errors.UnexpectedFailure(ValueError("Geheim")), US, "(ValueError). Please report it."),
]


def leaves_of(kind: type[BinanceError]) -> set[type[BinanceError]]:
    below = {leaf for child in kind.__subclasses__() for leaf in leaves_of(child)}
    return below or {kind}


def test_there_is_a_sample_of_each() -> None:
    ours = {kind for kind in leaves_of(BinanceError) if kind.__module__ == errors.__name__}
    assert ours <= {type(sample) for sample, _, _ in SAMPLES}


@pytest.mark.parametrize(("sample", "owner", "says"), SAMPLES, ids=lambda value: type(value).__name__)
def test_it_says_in_sentences_whose_turn_it_is(sample: BinanceError, owner: Owner, says: str) -> None:
    assert sample.owner is owner
    sentence = str(sample)
    assert says in sentence
    if isinstance(sample, errors.ConnectionLost):  # the cause in a sentence
        assert sentence[0].islower()
        assert not sentence.endswith(".")
    else:
        assert sentence[0].isupper() or sentence.startswith(("`", "host "))
        assert sentence.endswith(".")
    assert ".." not in sentence
    assert "  " not in sentence


def test_causes_are_reported_with_their_places_and_only_ours_and_the_systems_are_quoted() -> None:
    def fail() -> None:
        try:
            try:
                raise ValueError("Geheim")
            except ValueError as error:
                raise ConnectionRefusedError(111, "Connection refused") from error
        except OSError as error:
            raise errors.Unreachable("host", 443, "the connection was refused") from error

    with pytest.raises(errors.Unreachable) as raised:
        fail()
    causes = errors.causes_of(raised.value)
    assert causes.startswith("Caused by ConnectionRefusedError: [Errno 111] Connection refused (test_errors.py:")
    assert ", fail), caused by ValueError (test_errors.py:" in causes
    assert "Geheim" not in causes
    assert errors.causes_of(errors.Interrupted()) == ""


def test_a_chain_without_end_is_cut() -> None:
    error = errors.Interrupted()
    error.__cause__ = error
    assert errors.causes_of(error).count("caused by") == 9


def test_no_cause_is_thrown_away() -> None:
    """`raise … from None` would leave `--debug` without it."""
    package = Path(__file__).resolve().parent.parent / "source_binance_futures"
    assert [path.name for path in package.rglob("*.py") if " from None" in path.read_text(encoding="utf-8")] == []


@pytest.mark.parametrize(
    ("status", "kind", "owner"),
    [
        (451, LocationRefused, USER),
        (418, RateLimited, EXCHANGE),
        (429, RateLimited, EXCHANGE),
        (400, AddressRefused, USER),
        (404, AddressRefused, USER),
        (499, AddressRefused, USER),
        (403, HandshakeRefused, EXCHANGE),
        (408, HandshakeRefused, EXCHANGE),
        (199, HandshakeRefused, EXCHANGE),
        (200, AnsweredByPage, EXCHANGE),
        (302, AnsweredByPage, EXCHANGE),
        (399, AnsweredByPage, EXCHANGE),
        (500, HandshakeRefused, EXCHANGE),
        (511, AnsweredByPage, EXCHANGE),
        (503, HandshakeRefused, EXCHANGE),
    ],
)
def test_each_status(status: int, kind: type[Exception], owner: Owner) -> None:
    found = refusal(HOST, status, {}, NOW)
    assert type(found) is kind
    assert found.owner is owner
    assert isinstance(found, HandshakeRefused | RateLimited)
    assert found.status == status
    assert HOST in str(found)
    assert isinstance(found, RateLimited) or str(status) in str(found)


LOGIN = "http://login.hotel.example:8080/start?session=Geheim"
LONGEST = "x" * 253


@pytest.mark.parametrize(
    ("status", "location", "shown"),
    [
        *[(status, LOGIN, " at login.hotel.example. Log") for status in (200, 302, 307, 511)],
        *[(302, f"http://{host}", f" at {host}. Log") for host in ("x", LONGEST)],
        *[(302, location, ". Log") for location in ("", "/login", "http://[", f"http://{LONGEST}x")],
        (302, "http://a\tb\x1b.example/", ". Log"),
    ],
)
def test_a_page_in_place_of_the_handshake_is_named_by_its_host(status: int, location: str, shown: str) -> None:
    sentence = str(refusal(HOST, status, {"location": location}, NOW))
    assert (
        f"Something in between answered for {HOST} with HTTP status {status} and a page of its own{shown}" in sentence
    )
    assert "Geheim" not in sentence


def test_a_proxy_in_between_that_nobody_named_is_the_users_turn_and_a_limit_without_a_time_a_minute() -> None:
    found = refusal(HOST, 407, {}, NOW)
    assert found.owner is USER
    assert f"The proxy in front of {HOST} did not let the connection through: it asks for a user and" in str(found)
    limited = refusal(HOST, 429, {"date": "Mon, 01 Jan 2026 00:00:00 GMT"}, NOW)
    assert isinstance(limited, RateLimited)
    assert limited.retry_at == NOW + 60


GMT = email.utils.formatdate(NOW + 90, usegmt=True)


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("120", 120),
        (" 120 ", 120),
        ("0", 0),
        (GMT, 90),
        (GMT.replace("GMT", "+0000"), 90),
        (GMT.replace("GMT", "-0000"), 90),
        (GMT.replace("GMT", "+0100"), 0),
        (GMT.replace("GMT", "-0100"), 3690),
        (email.utils.formatdate(NOW - 90, usegmt=True), 0),
        ("Mon, 01 Jan 0001 00:00:00 GMT", 0),
        ("Mon, 01 Jan 0001 00:00:00 -0000", 0),
    ],
)
def test_retry_after_in_seconds_or_as_a_date(value: str, seconds: float) -> None:
    assert retry_after(value, NOW) == seconds


@pytest.mark.parametrize(
    "value",
    [
        *("", "soon", "-5", "1.5", "1, 2", "Mon, 01 Jan", ",", "\x00", "Mon, 01 Jan 99999 00:00:00 GMT"),
        *("Mon, 41 Jan 2026 00:00:00 GMT", "Mon, 01 Jan 2026 99:00:00 GMT"),
        *("Mon, 01 Jan 2026 00:00:00 +99999999999999999999", "Mon, 01 Jan 2026 00:00:00 -99999999999999999999"),
    ],
)
def test_a_retry_after_that_says_nothing_is_a_minute(value: str) -> None:
    assert retry_after(value, NOW) == DEFAULT_PAUSE == 60


@pytest.mark.parametrize("value", ["9" * 30, "9" * 5000, "٣٦٠٠٠٠٠٠٠٠", "Fri, 31 Dec 9999 23:59:59 GMT"])
def test_no_ban_lasts_for_ever(value: str) -> None:
    limited = refusal(HOST, 418, {"retry-after": value}, NOW)
    assert isinstance(limited, RateLimited)
    assert NOW + WEEK - 60 < limited.retry_at <= NOW + WEEK
    assert "has banned this IP address and answers again after 2" in str(limited)
