"""Addresses of proxies, and what is said to one and made of its answers."""

from __future__ import annotations

import socket
from collections.abc import Iterable
from contextlib import closing
from typing import Any

import pytest

from source_binance_futures.binance.clock import Clock
from source_binance_futures.binance.errors import AddressNotFound, Owner, ProxyFailed, ProxyRefused, ProxyUnusable
from source_binance_futures.binance.transport.proxy import (
    Proxy,
    Route,
    is_exempt,
    pass_through,
    proxy_of_environment,
)

from .sockets import PATIENCE, ScriptedStream, begin

SECRET = "Geheim"
UNSENDABLE = "cannot be sent as written"


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("http://host:3128", ("http", "host", 3128, "", "", "http://host:3128")),
        ("http://host", ("http", "host", 80, "", "", "http://host")),
        ("SOCKS5://Host", ("socks5", "host", 1080, "", "", "socks5://host")),
        ("socks5h://host:1", ("socks5h", "host", 1, "", "", "socks5h://host:1")),
        ("http://[::1]:3128", ("http", "::1", 3128, "", "", "http://[::1]:3128")),
        ("http://user@host", ("http", "host", 80, "user", "", "http://host")),
        ("http://us%20er:p%40ss%3A%C3%A9@host/", ("http", "host", 80, "us er", "p@ss:é", "http://host")),
    ],
)
def test_what_an_address_says(url: str, says: tuple[str, str, int, str, str, str]) -> None:
    proxy = Proxy.parse(url, "`proxy_url`")
    assert (proxy.scheme, proxy.host, proxy.port, proxy.username, proxy.password, proxy.shown) == says
    assert "p@ss" not in repr(proxy)
    assert "us er" not in repr(proxy)


@pytest.mark.parametrize(
    ("url", "fault"),
    [
        *[(url, "is not the address of a proxy; write") for url in ("", "host:3128", "ftp://host", "https://host")],
        *[
            (f"http://{host}", "is not the address of a proxy; write")
            for host in ("", "host:0", f"{SECRET}@host:99999")
        ],
        *[(f"http://us:12{cut}{SECRET}@host", "is not the address of a proxy; write") for cut in "/?#"],
        *[(f"http://{names}@host", UNSENDABLE) for names in (f"us%3A{SECRET}:word", f"user:%E5%AF%86{SECRET}")],
        (f"socks5://user:%C3%A9{SECRET}@host", UNSENDABLE),
        *[(f"socks5h://{names}@host", UNSENDABLE) for names in (f"{SECRET * 50}:word", f"user:{SECRET * 50}")],
        *[(f"http://user:{SECRET}@{host}", UNSENDABLE) for host in ("a..b:3128", f"{'x' * 64}.example")],
    ],
)
def test_an_address_that_is_none_or_cannot_be_sent_is_reported_and_not_shown(url: str, fault: str) -> None:
    with pytest.raises(ProxyUnusable, match=f"HTTPS_PROXY .*{fault}") as raised:
        Proxy.parse(url, "HTTPS_PROXY")
    assert raised.value.owner is Owner.USER
    assert SECRET not in str(raised.value)


def asked(url: str, answer: Iterable[bytes], host: str = "dstream.binance.com", *, ends: bool = True) -> ScriptedStream:
    stream = ScriptedStream(answer, ends=ends)
    pass_through(stream, Proxy.parse(url, "`proxy_url`"), host, 443, Clock().deadline(PATIENCE))
    return stream


OPENED = b"HTTP/1.1 200 Connection established\r\n\r\n"
PAGE = "HTTP/1.1 {}\r\nLocation: https://login.example/?q=Geheim\r\n\r\n"


@pytest.mark.parametrize(
    ("url", "host", "target", "more"),
    [
        ("http://proxy:3128", "dstream.binance.com", "dstream.binance.com:443", ""),
        ("http://us%20er:p%40ss%3A%C3%A9@proxy", "host", "host:443", "Proxy-Authorization: Basic dXMgZXI6cEBzczrp\r\n"),
        ("http://proxy", "2606:4700::1111", "[2606:4700::1111]:443", ""),
        ("http://proxy", "bücher.example", "xn--bcher-kva.example:443", ""),
    ],
)
def test_connect(url: str, host: str, target: str, more: str) -> None:
    sent = f"CONNECT {target} HTTP/1.1\r\nHost: {target}\r\n{more}\r\n"
    assert asked(url, [OPENED], host).sent == sent.encode()


@pytest.mark.parametrize(
    "answer",
    [
        [OPENED[:20], OPENED[20:]],
        [b"HTTP/1.0 200 OK\r\n", b"Via: 1.1 proxy\r\nProxy-Agent: x\r\n", b"\r\n"],
        [b"HTTP/1.1 204\r\n\r\n"],
        [b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" * 32 + OPENED],
    ],
)
def test_answers_that_open_the_way(answer: list[bytes]) -> None:
    stream = asked("http://proxy", [*answer, b"the tunnel's"])
    assert stream.take()[0] == b"the tunnel's"
    assert not stream.is_closed


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (b"HTTP/1.1 403 Forbidden\r\n\r\n", "403 forbidden"),
        (b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 5\r\n\r\nhello", "502 bad gateway"),
        (b"HTTP/1.1 101 Switching Protocols\r\n\r\n", "101 switching protocols"),
        (b"HTTP/1.1 300\r\n\r\n", "HTTP status 300, a page of its own"),
        (b"HTTP/1.1 102\r\n\r\n" * 4096 + OPENED, "its headers are longer than 65536 bytes"),
        (b"SSH-2.0-OpenSSH_9.6\r\n", "its answer is not HTTP: SSH-2.0-OpenSSH_9.6"),
        (PAGE.format("302 Found").encode(), "HTTP status 302, a page of its own at login.example"),
        (PAGE.format("511 Log in").encode(), "HTTP status 511, a page of its own at login.example"),
        (b"", "the connection was closed"),
        (b"HTTP/1.1 200 OK\r\n", "the connection was closed"),
    ],
)
def test_answers_that_do_not(answer: bytes, why: str) -> None:
    with pytest.raises(ProxyFailed) as raised:
        asked(f"http://user:{SECRET}@proxy:3128", [answer])
    assert type(raised.value) is ProxyFailed
    assert f"The proxy http://proxy:3128 did not let the connection through: {why}. Check" in str(raised.value)


def asking_for(offered: str) -> bytes:
    return f"HTTP/1.1 407 Proxy Authentication Required\r\nProxy-Authenticate: {offered}\r\n\r\n".encode()


@pytest.mark.parametrize(
    ("offered", "taken"),
    [
        ("NTLM", "NTLM"),
        ("Negotiate, NTLM", "Negotiate or NTLM"),
        ("Negotiate\r\nProxy-Authenticate: NTLM TlRMTVNTUAAC==", "Negotiate or NTLM"),
        ('Digest realm="Basic, of them", nonce = "a\\"b", qop="auth"', "Digest"),
    ],
)
def test_a_proxy_that_takes_no_basic_says_what_it_takes(offered: str, taken: str) -> None:
    with pytest.raises(ProxyRefused) as raised:
        asked(f"http://user:{SECRET}@proxy:3128", [asking_for(offered)])
    assert f"it takes {taken} only" in str(raised.value)
    assert "a helper that logs in to it, such as px" in str(raised.value)
    assert "user and password." not in str(raised.value), "the advice on credentials would mislead"


@pytest.mark.parametrize(
    ("url", "answer"),
    [
        *[
            ("http://proxy", asking_for(offered))
            for offered in ("basic", 'Negotiate, Basic realm="x"', 'Digest realm="a", Basic realm="b"', "")
        ],
        *[("socks5h://user:word@proxy", answer) for answer in (b"\x05\xff", b"\x05\x02\x01\x01")],
    ],
)
def test_a_proxy_that_takes_a_password_asks_for_other_credentials(url: str, answer: bytes) -> None:
    with pytest.raises(ProxyRefused, match="it asks for a user and password, or refuses these"):
        asked(url, [answer])


@pytest.mark.parametrize("variable", ["HTTPS_PROXY", "https_proxy", "ALL_PROXY"])
def test_a_variable_that_holds_no_proxy_is_named_and_not_shown(monkeypatch: pytest.MonkeyPatch, variable: str) -> None:
    monkeypatch.setenv(variable, f"user:pa/{SECRET}@host:3128")
    with pytest.raises(ProxyUnusable, match=f"^{variable.upper()} is not the address of a proxy; write it") as raised:
        proxy_of_environment("wss", "dstream.binance.com", 443)
    assert "pa/" not in str(raised.value)


INTRANET = "intern, .binance.com:443, *.example.org 10.0.0.0/8,[fd00::1]:8443,::2,192.168.1.7,a.b:80"


@pytest.mark.parametrize(
    ("exempt", "addresses"),
    [
        (True, ["intern:1", "host.intern:1", "DStream.Binance.com.:443", "binance.com:443", "www.example.org:1"]),
        (True, ["10.255.0.1:1", "192.168.1.7:1", "fd00::1:8443", "fd00:0:0::1:8443", "::2:443", "a.b:80"]),
        (False, ["notintern:1", "dstream.binance.com:9443", "example.com:1", "11.0.0.1:1", "192.168.1.70:1"]),
        (False, ["fd00::1:443", "a.b:443"]),
    ],
)
def test_no_proxy_in_its_usual_forms(monkeypatch: pytest.MonkeyPatch, exempt: bool, addresses: list[str]) -> None:
    monkeypatch.setenv("https_proxy", "proxy:3128")
    monkeypatch.setenv("no_proxy", INTRANET)
    for address in addresses:
        host, _, port = address.rpartition(":")
        assert (proxy_of_environment("wss", host, int(port)) is None) is exempt, address


@pytest.mark.parametrize(
    ("no_proxy", "exempt"), [("*", True), ("", False), (":443", False), (",, ,", False), (".", False)]
)
def test_no_proxy_that_exempts_all_or_nothing(no_proxy: str, exempt: bool) -> None:
    assert is_exempt("dstream.binance.com", 443, no_proxy) is exempt


METHOD = b"\x05\x00"
REACHED = b"\x05\x00\x00\x01\x7f\x00\x00\x01\x01\xbb"


def test_socks_with_a_name_and_a_password_byte_by_byte() -> None:
    stream = asked("socks5h://proxy", [METHOD, REACHED, b"the tunnel's"])
    name = b"dstream.binance.com"
    assert stream.sent == b"\x05\x01\x00\x05\x01\x00\x03" + bytes([len(name)]) + name + b"\x01\xbb"
    assert stream.take()[0] == b"the tunnel's"
    assert not stream.is_closed
    answer = b"\x05\x02\x01\x00\x05\x00\x00\x03\x05proxy\x01\xbb"
    stream = asked("socks5h://user:word@proxy", [bytes([byte]) for byte in answer])
    assert b"\x01\x04user\x04word" in stream.sent


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (METHOD + b"\x05\x05\x00", "connection refused by destination host"),
        (METHOD + b"\x05\x02\x00", "connection not allowed by ruleset"),
        (METHOD + b"\x05\x00\x00\x01\x7f", "the connection was closed"),
        (METHOD + b"\x05\x00\x00\x03\x02\xff\xff\x01\xbb", "its answer could not be read"),
        (METHOD + b"\x05\x00\x00\x09", ""),
        (b"HT", "unexpected socks version number"),
        (b"", "the connection was closed"),
    ],
)
def test_socks_that_does_not_open_the_way(answer: bytes, why: str) -> None:
    with pytest.raises(ProxyFailed) as raised:
        asked(f"socks5h://user:{SECRET}@proxy:1080", [answer])
    assert type(raised.value) is ProxyFailed
    beginning = "The proxy socks5h://proxy:1080 did not let the connection through: "
    assert str(raised.value).startswith(beginning + why)
    assert SECRET not in str(raised.value)


@pytest.mark.parametrize("url", ["http://proxy", "socks5h://proxy"])
def test_an_answer_that_does_not_come_and_a_host_that_is_not_asked_for(url: str) -> None:
    with pytest.raises(ProxyFailed, match="no answer in time"):
        asked(url, [], ends=False)
    with pytest.raises(AddressNotFound):
        asked(url, [], "a..b")


def has_addresses(monkeypatch: pytest.MonkeyPatch, *addresses: str) -> None:
    """Give dstream.example these addresses."""
    look_up = socket.getaddrinfo

    def answer(host: str, *arguments: Any, **options: Any) -> Any:
        if host != "dstream.example":
            return look_up(host, *arguments, **options)
        return [(0, 0, 0, "", (address, 80)) for address in addresses]

    monkeypatch.setattr(socket, "getaddrinfo", answer)


def test_socks5_tries_all_addresses_in_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    """A proxy without IPv6 says so of the first one (RFC 1928: 8, address type not supported), and takes the next."""
    asked_for: list[bytes] = []

    def serve() -> None:
        for answer in (b"\x05\x08\x00", REACHED):
            client, _ = listener.accept()
            with client:
                client.settimeout(PATIENCE)
                client.recv(3)
                client.sendall(METHOD)
                asked_for.append(client.recv(100)[3:4])
                client.sendall(answer)
                client.recv(1)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        has_addresses(monkeypatch, "2606:4700::1111", "192.0.2.1")
        thread = begin(serve)
        route = Route(f"socks5://127.0.0.1:{listener.getsockname()[1]}")
        with closing(route.open("ws://dstream.example", Clock().deadline(PATIENCE))):
            pass
        thread.join(PATIENCE)
    assert asked_for == [b"\x04", b"\x01"], "IPv6, then IPv4"


def test_the_last_address_says_why_none_was_reached(monkeypatch: pytest.MonkeyPatch) -> None:
    has_addresses(monkeypatch, "2606:4700::1111", "192.0.2.1")
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    with pytest.raises(ProxyFailed, match="the connection was refused"):
        Route(f"socks5://127.0.0.1:{port}").open("ws://dstream.example", Clock().deadline(PATIENCE))
