"""The route to a host, straight or through a proxy: whose address is written where, CONNECT and SOCKS5."""

from __future__ import annotations

import base64
import contextlib
import ipaddress
import re
import socket
import urllib.request
from dataclasses import dataclass, field
from typing import Any, cast
from urllib.parse import unquote, urlsplit

import python_socks
import python_socks.sync

from ..clock import Deadline
from ..errors import (
    NETWORK_AUTHENTICATION_REQUIRED,
    PROXY_AUTHENTICATION_REQUIRED,
    AddressNotFound,
    ProxyFailed,
    ProxyRefused,
    ProxyUnusable,
    Unreachable,
    host_of_location,
)
from .address import DEFAULT_PORTS as WEBSOCKET_PORTS
from .address import bracketed, host_of, is_loopback
from .handshake import HeadError, read_answer
from .sockets import ByteStream, dial, reason, resolve
from .tls import encrypt, tls_context

DEFAULT_PORTS = {"http": 80, "socks5": 1080, "socks5h": 1080}
SOCKS_REFUSALS = ("Username and password authentication failure", "No acceptable authentication methods were offered")
SCHEME = re.compile(r"\s*([A-Za-z0-9-]{1,20})(?!\S)(?!\s*=)")  # of a challenge; a parameter has a = behind it
LONGEST_SOCKS_CREDENTIAL = 255  # bytes, RFC 1929
LOOK_UP_BEFORE_PROXY = 1.0  # seconds; where names are not served here, most of the deadline is left for the proxy


@dataclass(frozen=True)
class Proxy:
    """Where a proxy is and how to speak to it. `named_by` is the option or the variable that holds its address."""

    scheme: str  # http, socks5 (names are looked up here) or socks5h (there)
    host: str
    port: int
    username: str | None = field(repr=False)
    password: str = field(repr=False)
    named_by: str
    shown: str  # the address as it may be shown: without user and password

    @classmethod
    def parse(cls, url: str, named_by: str) -> Proxy:
        """From `http://user:password@host:3128` and the like. Raises `ProxyUnusable`, which does not quote it."""
        fault = fault_of_proxy(url)
        if fault:
            raise ProxyUnusable(named_by, fault)
        parts = urlsplit(url)
        host, shown = str(parts.hostname), f"{parts.scheme}://{host_of(url)}"
        username = unquote(parts.username) if parts.username else None
        password = unquote(parts.password or "") if username else ""
        proxy = cls(parts.scheme, host, parts.port or DEFAULT_PORTS[parts.scheme], username, password, named_by, shown)
        if not proxy._can_be_sent():
            raise ProxyUnusable(named_by, "cannot be used: its address, user or password cannot be sent as written")
        return proxy

    def _can_be_sent(self) -> bool:
        encoding = "latin-1" if self.scheme == "http" else "ascii"
        try:
            self.host.encode("idna")
            credentials = [(self.username or "").encode(encoding), self.password.encode(encoding)]
        except UnicodeError:
            return False
        if self.scheme == "http":
            return b":" not in credentials[0]  # RFC 7617 section 2
        return all(len(credential) <= LONGEST_SOCKS_CREDENTIAL for credential in credentials)


def fault_of_proxy(url: str) -> str | None:
    """What is wrong with a proxy's address, as the end of a sentence that does not quote it; None if nothing is."""
    try:
        parts = urlsplit(url)
        # A password with a bare / ? or # ends the host early: its beginning would pass for a host, and hosts are shown.
        cut_short = "@" in parts.path + parts.query + parts.fragment
        if parts.scheme in DEFAULT_PORTS and parts.hostname and parts.port != 0 and not cut_short:
            return None
    except ValueError:
        pass
    return (
        "is not the address of a proxy; write it like http://host:3128, socks5://host:1080 or "
        "socks5h://host:1080, with user:password@ before the host where the proxy asks for them "
        "(/ ? # @ in a password as %2F %3F %23 %40)"
    )


def proxy_of_environment(scheme: str, host: str, port: int) -> Proxy | None:
    """The proxy that HTTPS_PROXY, HTTP_PROXY, ALL_PROXY and NO_PROXY name for an address. Raises `ProxyUnusable`."""
    if is_loopback(host):
        return None  # another machine has another loopback, and plain `ws://` must not leave this one
    proxies = urllib.request.getproxies_environment()
    if is_exempt(host, port, proxies.get("no", "")):
        return None
    for kind in ("https" if scheme == "wss" else "http", "all"):
        url = proxies.get(kind, "").strip()
        if url:
            return Proxy.parse(url if "://" in url else f"http://{url}", f"{kind.upper()}_PROXY")
    return None


def is_exempt(host: str, port: int, no_proxy: str) -> bool:
    """Return whether NO_PROXY exempts an address: `*`, names with what is below them, addresses, networks, ports.

    >>> is_exempt("dstream.binance.com", 443, "intern, .binance.com:443")
    True
    >>> is_exempt("10.1.2.3", 443, "10.0.0.0/8")
    True
    """
    host = host.lower().rstrip(".")
    return any(_exempts(entry, host, port) for entry in re.split(r"[,\s]+", no_proxy.lower()) if entry)


def _exempts(entry: str, host: str, port: int) -> bool:
    if entry == "*":
        return True
    with contextlib.suppress(ValueError):  # an address or a network, of IPv6 with or without brackets
        return ipaddress.ip_address(host) in ipaddress.ip_network(entry.strip("[]"), strict=False)
    name, separator, of_port = entry.rpartition(":")
    if separator and of_port.isdecimal():
        return of_port == str(port) and _exempts(name, host, port)
    name = entry.removeprefix("*").strip(".")
    return bool(name) and (host == name or host.endswith(f".{name}"))


def pass_through(stream: ByteStream, proxy: Proxy, host: str, port: int, deadline: Deadline) -> None:
    """Has the proxy at the other end of a stream connect it to a host. Raises a `ProxyFailed` or `AddressNotFound`."""
    try:
        host.encode("idna")
    except UnicodeError as error:
        raise AddressNotFound(host) from error
    try:
        if proxy.scheme == "http":
            _connect(stream, proxy, host, port, deadline)
        else:
            _socks(stream, proxy, host, port, deadline)
    except (HeadError, OSError) as error:
        raise ProxyFailed(proxy.shown, str(error) if isinstance(error, HeadError) else reason(error)) from error
    except python_socks.ProxyTimeoutError as error:
        raise ProxyFailed(proxy.shown, reason(TimeoutError())) from error
    except python_socks.ProxyError as error:
        if str(error) in SOCKS_REFUSALS:
            raise ProxyRefused(proxy.shown) from error
        raise ProxyFailed(proxy.shown, str(error).lower() or "it broke off") from error
    except (ValueError, IndexError) as error:  # python-socks, of bytes that are no answer
        raise ProxyFailed(proxy.shown, "its answer could not be read") from error


def _connect(stream: ByteStream, proxy: Proxy, host: str, port: int, deadline: Deadline) -> None:
    """HTTP CONNECT, RFC 9110 section 9.3.6: any 2xx opens the way, and no body follows it."""
    target = f"{bracketed(host) if ':' in host else host.encode('idna').decode()}:{port}"
    lines = [f"CONNECT {target} HTTP/1.1", f"Host: {target}"]
    if proxy.username is not None:
        credentials = base64.b64encode(f"{proxy.username}:{proxy.password}".encode("latin-1")).decode()
        lines.append(f"Proxy-Authorization: Basic {credentials}")
    stream.send("\r\n".join([*lines, "", ""]).encode(), deadline)
    head = read_answer(stream, deadline)
    if head.status == PROXY_AUTHENTICATION_REQUIRED:
        schemes = login_schemes(head.headers.get("proxy-authenticate", ""))
        raise ProxyRefused(proxy.shown, () if "basic" in map(str.lower, schemes) else schemes)
    if 300 <= head.status < 400 or head.status == NETWORK_AUTHENTICATION_REQUIRED:
        page = host_of_location(head.headers.get("location", ""))
        raise HeadError(f"HTTP status {head.status}, a page of its own{f' at {page}' if page else ''}")
    if not 200 <= head.status < 300:
        raise HeadError(f"{head.status} {head.reason}".strip().lower())


def login_schemes(challenges: str) -> tuple[str, ...]:
    """Return the ways to log in that a `Proxy-Authenticate` offers (RFC 9110 section 11.6.1), each once, five at most.

    >>> login_schemes('Negotiate, NTLM, Digest realm="a, b", nonce="c"')
    ('Negotiate', 'NTLM', 'Digest')
    """
    parts = re.sub(r'"(?:[^"\\]|\\.)*"', "", challenges).split(",")
    found = [SCHEME.match(part) for part in parts]
    return tuple(dict.fromkeys(match[1] for match in found if match))[:5]


def _socks(stream: ByteStream, proxy: Proxy, host: str, port: int, deadline: Deadline) -> None:
    way = python_socks.sync.Proxy(
        proxy_type=python_socks.ProxyType.SOCKS5,
        host=proxy.host,
        port=proxy.port,
        username=proxy.username,
        password=proxy.password if proxy.username is not None else None,
        rdns=True,
        forward=cast(python_socks.sync.Proxy, _OpenWay(stream, deadline)),
    )
    way.connect(host, port, timeout=deadline.timeout())


class _OpenWay:
    """Where python-socks, in a chain of proxies, expects the one before: the stream, which is open already.

    So each of its reads and writes keeps the one deadline; its own timeout begins anew with every byte that comes.
    """

    def __init__(self, stream: ByteStream, deadline: Deadline) -> None:
        self._stream = stream
        self._deadline = deadline

    def connect(self, **_: Any) -> _OpenWay:
        return self

    def sendall(self, data: bytes) -> None:
        self._stream.send(bytes(data), self._deadline)

    def recv(self, size: int) -> bytes:
        return self._stream.receive(size, self._deadline)

    def close(self) -> None:
        """Whoever opened the stream closes it."""


@dataclass(frozen=True)
class Route:
    """How addresses are reached.

    `proxy_url` is the user's own choice and always wins; without it the environment's HTTPS_PROXY, HTTP_PROXY,
    ALL_PROXY and NO_PROXY are honoured, except for this machine. With `public_only` (a shared cloud) private addresses
    are refused, behind a proxy too; the environment's proxy is the cloud's own, so only the user's must be public.
    """

    proxy_url: str | None = field(default=None, repr=False)  # it may hold a password
    public_only: bool = False

    def open(self, url: str, deadline: Deadline) -> ByteStream:
        """An open stream to the host of `url`, for `wss` verified and encrypted. Raises a `ConnectFailed`."""
        parts = urlsplit(url)
        host = str(parts.hostname)
        port = parts.port or WEBSOCKET_PORTS[parts.scheme]
        context = tls_context() if parts.scheme == "wss" else None  # first: what it lacks is this machine's fault
        own = self.proxy_url
        proxy = Proxy.parse(own, "`proxy_url`") if own else proxy_of_environment(parts.scheme, host, port)
        try:
            if proxy:
                sock = self._through(proxy, host, port, deadline)
            else:
                sock = dial(resolve(host, port, deadline, public_only=self.public_only), deadline)
        except OSError as error:
            raise Unreachable(host, port, reason(error)) from error
        return encrypt(sock, context, host, deadline) if context else ByteStream(sock)

    def _through(self, proxy: Proxy, host: str, port: int, deadline: Deadline) -> socket.socket:
        if self.public_only:
            with contextlib.suppress(AddressNotFound):  # a name that only the proxy can look up
                resolve(host, port, deadline.or_after(LOOK_UP_BEFORE_PROXY), public_only=True)
        if proxy.scheme == "socks5":  # which may reach some of the addresses only: many proxies have no IPv6
            *others, (host, _) = resolve(host, port, deadline, public_only=self.public_only)
            for position, (address, _) in enumerate(others):
                with contextlib.suppress(ProxyFailed):
                    share = deadline.remaining() / (len(others) + 1 - position)
                    return self._ask(proxy, address, port, deadline.or_after(share))
        return self._ask(proxy, host, port, deadline)

    def _ask(self, proxy: Proxy, host: str, port: int, deadline: Deadline) -> socket.socket:
        must_be_public = self.public_only and self.proxy_url is not None
        try:
            # The resolved address itself is dialled, so that a second look-up cannot lead somewhere else.
            sock = dial(resolve(proxy.host, proxy.port, deadline, public_only=must_be_public), deadline)
        except AddressNotFound as error:
            raise ProxyFailed(proxy.shown, "it could not be reached (its address could not be found)") from error
        except OSError as error:
            raise ProxyFailed(proxy.shown, f"it could not be reached ({reason(error)})") from error
        try:
            pass_through(ByteStream(sock), proxy, host, port, deadline)
        except BaseException:
            sock.close()
            raise
        return sock
