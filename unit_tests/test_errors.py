"""What can go wrong: each is in the drawing, has an owner and says in sentences what happened."""

from __future__ import annotations

from pathlib import Path

import pytest

from source_binance_futures.binance import errors
from source_binance_futures.binance.errors import BinanceError, Owner

NOW = 1_790_000_000.0
SAMPLES = [
    errors.AddressNotFound("host"),
    errors.AddressForbidden("host"),
    errors.Unreachable("host", 443, "no answer in time"),
    errors.NoThread("No connection to host was tried"),
    errors.TlsUnusable("SSL_CERT_FILE names /nowhere, which cannot be used (it is a directory)"),
    errors.TlsFailed("host", "its certificate was not accepted (expired)", "Check this machine's clock."),
    errors.ProxyFailed("http://proxy:3128", "403 forbidden"),
    errors.ProxyRefused("http://proxy:3128"),
    errors.ProxyRefused("http://proxy:3128", ["NTLM"]),
    errors.ProxyUnusable("`proxy_url`", "is not the address of a proxy"),
    errors.HandshakeFailed("host", "no answer in time"),
    errors.SymbolRefused("BTCSTUSDT", "Invalid symbol status", -1122),
    errors.HandshakeRefused("host", 503),
    errors.AnsweredByPage("host", 302, "login.example"),
    errors.AnsweredByPage("host", 200),
    errors.AddressRefused("host", 404),
    errors.LocationRefused("host", 451),
    errors.ClosedByExchange(1001, ""),
    errors.ClosedByExchange(1008, "Too many requests"),
    errors.ProtocolViolation(1002, "a masked frame"),
    errors.RateLimited("host", 418, NOW, NOW),
    errors.RateLimited("host", 429, NOW, NOW),
    errors.ExchangeUnavailable("status 503, code -1008: Server is overloaded."),
    errors.NoAnswer("host", 10.0),
    errors.UnknownSymbols(["A", "B"]),
    errors.RequestRefused(400, -1102, "Mandatory parameter was not sent"),
    errors.UnreadableAnswer("not JSON: <html>"),
    errors.NothingHeard(60, "host has not answered yet", connected=False),
    errors.NothingHeard(60, "the exchange closed the connection with code 1001", connected=True),
    errors.OnlyMalformedFrames("host", 7),
    errors.Interrupted(),
    errors.UnexpectedFailure(ValueError("secret")),
]


def leaves_of(kind: type[BinanceError]) -> set[type[BinanceError]]:
    below = {leaf for child in kind.__subclasses__() for leaf in leaves_of(child)}
    return below or {kind}


def test_there_is_a_sample_of_each() -> None:
    assert leaves_of(BinanceError) <= {type(sample) for sample in SAMPLES}


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda sample: type(sample).__name__)
def test_it_is_in_the_drawing_and_has_an_owner(sample: BinanceError) -> None:
    assert f"── {type(sample).__name__} " in str(errors.__doc__)
    assert isinstance(sample.owner, Owner)


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda sample: type(sample).__name__)
def test_it_speaks_in_sentences_or_is_the_cause_in_one(sample: BinanceError) -> None:
    told = str(sample)
    if isinstance(sample, errors.ConnectionLost):
        assert told[0].islower()
        assert not told.endswith(".")
    else:
        assert told[0].isupper() or told.startswith(("`", "host "))
        assert told.endswith(".")
    assert ".." not in told
    assert "  " not in told


def test_the_first_ten_of_many_symbols_are_named() -> None:
    symbols = [f"S{number}" for number in range(13)]
    unknown = errors.UnknownSymbols(symbols)
    assert "does not list S0, S1, S2, S3, S4, S5, S6, S7, S8, S9 and 3 more among" in str(unknown)
    assert unknown.symbols == tuple(symbols)
    assert "S8, S9 among" in str(errors.UnknownSymbols(symbols[:10]))


@pytest.mark.parametrize(("seconds", "said"), [(5.89077, "6 seconds"), (10.0, "10 seconds"), (0.2, "1 seconds")])
def test_seconds_are_rounded(seconds: float, said: str) -> None:
    assert f"gave no answer to ticker.price within {said}." in str(errors.NoAnswer("host", seconds))


def test_the_moment_of_a_limit_is_told_to_the_second() -> None:
    limited = errors.RateLimited("host", 429, 1795293300.789, 1795293000.0)
    assert "answers again after 2026-11-21 20:35:00 UTC." in str(limited)


def test_causes_are_told_with_their_places_and_only_ours_and_the_systems_are_quoted() -> None:
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
    told = errors.causes_of(raised.value)
    assert told.startswith("Caused by ConnectionRefusedError: [Errno 111] Connection refused (test_errors.py:")
    assert ", fail), caused by ValueError (test_errors.py:" in told
    assert "Geheim" not in told
    assert errors.causes_of(errors.Interrupted()) == ""


def test_a_chain_without_end_is_cut() -> None:
    error = errors.Interrupted()
    error.__cause__ = error
    assert errors.causes_of(error).count("caused by") == 9


def test_no_cause_is_thrown_away() -> None:
    """`raise … from None` would leave `--debug` without it."""
    package = Path(__file__).resolve().parent.parent / "source_binance_futures"
    assert [path.name for path in package.rglob("*.py") if " from None" in path.read_text(encoding="utf-8")] == []
