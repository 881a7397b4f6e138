"""Which failure an HTTP status is, and when it may be tried again."""

from __future__ import annotations

import email.utils

import pytest
from hypothesis import given
from hypothesis import strategies as st

from source_binance_futures.binance.errors import (
    DEFAULT_PAUSE,
    AddressRefused,
    AnsweredByPage,
    HandshakeRefused,
    LocationRefused,
    Owner,
    RateLimited,
    refusal,
    retry_after,
)

HOST = "dstream.binance.com"
NOW = 1_790_000_000.0
WEEK = 7 * 86400


@pytest.mark.parametrize(
    ("status", "kind", "owner"),
    [
        (451, LocationRefused, Owner.USER),
        (418, RateLimited, Owner.EXCHANGE),
        (429, RateLimited, Owner.EXCHANGE),
        (400, AddressRefused, Owner.USER),
        (404, AddressRefused, Owner.USER),
        (499, AddressRefused, Owner.USER),
        (403, HandshakeRefused, Owner.EXCHANGE),
        (408, HandshakeRefused, Owner.EXCHANGE),
        (200, AnsweredByPage, Owner.EXCHANGE),
        (302, AnsweredByPage, Owner.EXCHANGE),
        (399, AnsweredByPage, Owner.EXCHANGE),
        (500, HandshakeRefused, Owner.EXCHANGE),
        (511, AnsweredByPage, Owner.EXCHANGE),
        (503, HandshakeRefused, Owner.EXCHANGE),
    ],
)
def test_each_status(status: int, kind: type[Exception], owner: Owner) -> None:
    found = refusal(HOST, status, {}, NOW)
    assert type(found) is kind
    assert found.owner is owner
    assert HOST in str(found)
    assert isinstance(found, RateLimited) or str(status) in str(found)


def test_a_proxy_in_between_that_nobody_named_is_the_users_turn() -> None:
    found = refusal(HOST, 407, {}, NOW)
    assert found.owner is Owner.USER
    assert f"The proxy in front of {HOST} did not let the connection through: it asks for a user and" in str(found)


def test_a_limit_without_a_time_is_a_minute() -> None:
    limited = refusal(HOST, 429, {"date": "Mon, 01 Jan 2026 00:00:00 GMT"}, NOW)
    assert isinstance(limited, RateLimited)
    assert limited.retry_at == NOW + 60


def in_seconds(seconds: float) -> str:
    return email.utils.formatdate(NOW + seconds, usegmt=True)


@pytest.mark.parametrize("form", ["{}", " {} "])
def test_retry_after_in_seconds(form: str) -> None:
    assert retry_after(form.format(120), NOW) == 120
    assert retry_after(form.format(0), NOW) == 0


def test_retry_after_as_a_date() -> None:
    """A date has whole seconds, so up to one of them is missing."""
    assert retry_after(in_seconds(90), NOW) == pytest.approx(90, abs=2)
    assert retry_after(in_seconds(90).replace("GMT", "+0000"), NOW) == pytest.approx(90, abs=2)
    assert retry_after(in_seconds(90).replace("GMT", "-0000"), NOW) == pytest.approx(90, abs=2)
    assert retry_after(in_seconds(90).replace("GMT", "+0100"), NOW) == 0
    assert retry_after(in_seconds(90).replace("GMT", "-0100"), NOW) == pytest.approx(3690, abs=2)
    assert retry_after(in_seconds(-90), NOW) == 0


@pytest.mark.parametrize(
    "value",
    [
        "",
        "soon",
        "-5",
        "1.5",
        "1, 2",
        "Mon, 01 Jan 2026 00:00:00 +99999999999999999999",
        "Mon, 01 Jan 2026 00:00:00 -99999999999999999999",
        "Mon, 01 Jan 99999 00:00:00 GMT",
        "Mon, 41 Jan 2026 00:00:00 GMT",
        "Mon, 01 Jan 2026 99:00:00 GMT",
        "Mon, 01 Jan",
        ",",
        "\x00",
    ],
)
def test_a_retry_after_that_says_nothing_is_a_minute(value: str) -> None:
    assert retry_after(value, NOW) == DEFAULT_PAUSE == 60


@pytest.mark.parametrize("value", ["Mon, 01 Jan 0001 00:00:00 GMT", "Mon, 01 Jan 0001 00:00:00 -0000"])
def test_a_year_that_was_never_meant_is_over(value: str) -> None:
    assert retry_after(value, NOW) == 0


@pytest.mark.parametrize("value", ["9" * 30, "9" * 5000, "٣٦٠٠٠٠٠٠٠٠", "Fri, 31 Dec 9999 23:59:59 GMT"])
def test_no_ban_lasts_for_ever(value: str) -> None:
    limited = refusal(HOST, 418, {"retry-after": value}, NOW)
    assert isinstance(limited, RateLimited)
    assert NOW + WEEK - 60 < limited.retry_at <= NOW + WEEK
    assert "has banned this IP address and answers again after 2" in str(limited)


zones = st.one_of(st.just("GMT"), st.from_regex(r"[+-][0-9]{1,25}", fullmatch=True))
dates = st.builds(
    "{}, {} {} {} {}:{}:{} {}".format,
    st.sampled_from(["Mon", "", "x"]),
    st.integers(-1, 40),
    st.sampled_from(["Jan", "Feb", "jan", "13", ""]),
    st.one_of(st.integers(-10, 12000), st.integers(0, 10**30)),
    st.integers(-1, 30),
    st.integers(-1, 70),
    st.one_of(st.integers(-1, 70), st.text(max_size=3)),
    zones,
)


@given(st.one_of(st.text(), dates, st.from_regex(r"\s*[0-9]*\s*")))
def test_any_retry_after_is_a_number_of_seconds(value: str) -> None:
    limited = refusal(HOST, 429, {"retry-after": value}, NOW)
    assert isinstance(limited, RateLimited)
    assert NOW - 1 <= limited.retry_at <= NOW + WEEK
