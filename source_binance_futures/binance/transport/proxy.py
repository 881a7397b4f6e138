"""The route to a host, straight or through a proxy: whose address is written where, CONNECT and SOCKS5."""

from __future__ import annotations

import base64
import contextlib
import ipaddress
import re
import socket
import urllib.request
from dataclasses import dataclass, field
from http import HTTPStatus
from types import SimpleNamespace
from typing import cast
from urllib.parse import unquote, urlsplit

import python_socks
import python_socks.sync

from ..clock import Deadline
from ..errors import AddressNotFound, ProxyFailed, ProxyRefused, ProxyTakesNoBasic, ProxyUnusable, Unreachable, page_of
from .address import DEFAULT_PORTS, host_of, is_loopback
from .handshake import HeadError, read_answer
from .sockets import ByteStream, dial, reason, resolve
from .tls import TlsStream, tls_context

PROXY_PORTS = {"http": 80, "socks5": 1080, "socks5h": 1080}
SOCKS_REFUSALS = ("Username and password authentication failure", "No acceptable authentication methods were offered")
SCHEME = re.compile(r"(?:^|,)\s*([A-Za-z0-9-]{1,20})(?=[\s,]|$)(?!\s*=)")  # a parameter has a = behind it
LONGEST_SOCKS_CREDENTIAL = 255  # bytes, RFC 1929
LOOK_UP_BEFORE_PROXY = 1.0  # seconds; where names are not served here, most of the deadline is left for the proxy


@dataclass(frozen=True)
class Proxy:
    """Where a proxy is and how to speak to it."""

    scheme: str  # http, socks5 (names are looked up here) or socks5h (there)
    host: str
    port: int
    username: str = field(repr=False)  # "" where there is none
    password: str = field(repr=False)
    shown: str  # the address as it may be shown: without user and password

    @classmethod
    def parse(cls, url: str, named_by: str) -> Proxy:
        """From `http://user:password@host:3128` in the option or variable `named_by`. Raises `ProxyUnusable`."""
        fault = (
            "is not the address of a proxy; write it like http://host:3128, socks5://host:1080 or "
            "socks5h://host:1080, with user:password@ before the host where the proxy asks for them "
            "(/ ? # @ in a password as %2F %3F %23 %40)"
        )
        with contextlib.suppress(ValueError):
            parts = urlsplit(url)
            # A password with a bare / ? or # ends the host early: its beginning would pass for a host, which is shown.
            cut_short = "@" in parts.path + parts.query + parts.fragment
            if parts.scheme in PROXY_PORTS and parts.hostname and parts.port != 0 and not cut_short:
                fault = "cannot be used: its address, user or password cannot be sent as written"
                is_http, port = parts.scheme == "http", parts.port or PROXY_PORTS[parts.scheme]
                username, password = unquote(parts.username or ""), unquote(parts.password or "")
                parts.hostname.encode("idna")
                sizes = [len(text.encode("latin-1" if is_http else "ascii")) for text in (username, password)]
                fits = ":" not in username if is_http else max(sizes) <= LONGEST_SOCKS_CREDENTIAL
                if fits:
                    shown = f"{parts.scheme}://{host_of(url)}"
                    return cls(parts.scheme, parts.hostname, port, username, password, shown)
        raise ProxyUnusable(named_by, fault)


def proxy_of_environment(scheme: str, host: str, port: int) -> Proxy | None:
    """The proxy that HTTPS_PROXY, HTTP_PROXY, ALL_PROXY and NO_PROXY name for an address. Raises `ProxyUnusable`."""
    proxies = urllib.request.getproxies_environment()
    # Another machine has another loopback, and plain `ws://` must not leave this one.
    if is_loopback(host) or is_exempt(host, port, proxies.get("no", "")):
        return None
    for kind in ("https" if scheme == "wss" else "http", "all"):
        url = proxies.get(kind, "").strip()
        if url:
            return Proxy.parse(url if "://" in url else f"http://{url}", f"{kind.upper()}_PROXY")
    return None


def is_exempt(host: str, port: int, no_proxy: str) -> bool:
    """Whether a NO_PROXY such as `intern, .binance.com:443, 10.0.0.0/8 [fd00::1]:8443`, or `*`, exempts an address."""
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
        target = f"[{host}]" if ":" in host else host.encode("idna").decode()
    except UnicodeError as error:
        raise AddressNotFound(host) from error
    try:
        if proxy.scheme == "http":
            _connect(stream, proxy, f"{target}:{port}", deadline)
        else:
            _socks(stream, proxy, host, port, deadline)
    except OSError as error:
        raise ProxyFailed(proxy.shown, reason(error)) from error
    except python_socks.ProxyError as error:
        if str(error) in SOCKS_REFUSALS:
            raise ProxyRefused(proxy.shown) from error
        raise ProxyFailed(proxy.shown, str(error).lower() or "it broke off") from error
    except (ValueError, IndexError) as error:  # python-socks, of bytes that are no answer
        raise ProxyFailed(proxy.shown, "its answer could not be read") from error


def _connect(stream: ByteStream, proxy: Proxy, target: str, deadline: Deadline) -> None:
    """HTTP CONNECT, RFC 9110 section 9.3.6: any 2xx opens the way, and no body follows it."""
    lines = [f"CONNECT {target} HTTP/1.1", f"Host: {target}"]
    if proxy.username:
        credentials = base64.b64encode(f"{proxy.username}:{proxy.password}".encode("latin-1")).decode()
        lines.append(f"Proxy-Authorization: Basic {credentials}")
    stream.send("\r\n".join([*lines, "", ""]).encode(), deadline)
    status, why, headers = read_answer(stream, deadline)
    if 200 <= status < 300:
        return
    if status == HTTPStatus.PROXY_AUTHENTICATION_REQUIRED:
        # RFC 9110 section 11.6.1, such as `Negotiate, Digest realm="a, b", nonce="c"`
        challenges = re.sub(r'"(?:[^"\\]|\\.)*"', "", headers.get("proxy-authenticate", ""))
        schemes = list(dict.fromkeys(SCHEME.findall(challenges)))
        if not schemes or "basic" in map(str.lower, schemes):
            raise ProxyRefused(proxy.shown)
        raise ProxyTakesNoBasic(proxy.shown, " or ".join(schemes[:5]))
    page = page_of(status, headers)
    if page is not None:
        raise HeadError(f"HTTP status {status}, a page of its own{page}")
    raise HeadError(f"{status} {why}".strip().lower())


def _socks(stream: ByteStream, proxy: Proxy, host: str, port: int, deadline: Deadline) -> None:
    open_way = SimpleNamespace(
        recv=lambda size: stream.receive(size, deadline),
        sendall=lambda data: stream.send(bytes(data), deadline),
        close=lambda: None,  # whoever opened the stream closes it
    )
    # In a chain of proxies the one before: python-socks' own timeout would begin anew with every byte.
    forward = cast(python_socks.sync.Proxy, SimpleNamespace(connect=lambda **_: open_way))
    kind, user, password = python_socks.ProxyType.SOCKS5, proxy.username, proxy.password
    way = python_socks.sync.Proxy(kind, proxy.host, proxy.port, user, password, rdns=True, forward=forward)
    way.connect(host, port, timeout=deadline.timeout())


@dataclass(frozen=True)
class Route:
    """How addresses are reached: by the user's own proxy, else as HTTPS_PROXY, HTTP_PROXY, ALL_PROXY and NO_PROXY say.

    With `public_only` (a shared cloud) private addresses are refused, behind a proxy too; the environment's proxy is
    the cloud's own, so only the user's must be public.
    """

    proxy_url: str | None = field(default=None, repr=False)  # it may hold a password
    public_only: bool = False

    def open(self, url: str, deadline: Deadline) -> ByteStream:
        """An open stream to the host of `url`, for `wss` verified and encrypted. Raises a `ConnectFailed`."""
        parts = urlsplit(url)
        host, port = str(parts.hostname), parts.port or DEFAULT_PORTS[parts.scheme]
        context = tls_context() if parts.scheme == "wss" else None  # first: what it lacks is this machine's fault
        own = self.proxy_url
        proxy = Proxy.parse(own, "`proxy_url`") if own else proxy_of_environment(parts.scheme, host, port)
        try:
            if proxy:
                sock = self._through(proxy, host, port, deadline)
            else:
                sock = dial(host, port, deadline, public_only=self.public_only)
        except OSError as error:
            raise Unreachable(host, port, reason(error)) from error
        return TlsStream(sock, context, host, deadline) if context else ByteStream(sock)

    def _through(self, proxy: Proxy, host: str, port: int, deadline: Deadline) -> socket.socket:
        if self.public_only:
            with contextlib.suppress(AddressNotFound):  # a name that only the proxy can look up
                resolve(host, port, deadline.or_after(LOOK_UP_BEFORE_PROXY), public_only=True)
        if proxy.scheme == "socks5":  # which may reach some of the addresses only: many proxies have no IPv6
            *others, host = resolve(host, port, deadline, public_only=self.public_only)
            for position, address in enumerate(others):
                with contextlib.suppress(ProxyFailed):
                    share = deadline.remaining() / (len(others) + 1 - position)
                    return self._ask(proxy, address, port, deadline.or_after(share))
        return self._ask(proxy, host, port, deadline)

    def _ask(self, proxy: Proxy, host: str, port: int, deadline: Deadline) -> socket.socket:
        must_be_public = self.public_only and self.proxy_url is not None
        try:
            sock = dial(proxy.host, proxy.port, deadline, public_only=must_be_public)
        except (AddressNotFound, OSError) as error:
            why = "its address could not be found" if isinstance(error, AddressNotFound) else reason(error)
            raise ProxyFailed(proxy.shown, f"it could not be reached ({why})") from error
        try:
            pass_through(ByteStream(sock), proxy, host, port, deadline)
        except BaseException:
            sock.close()
            raise
        return sock
