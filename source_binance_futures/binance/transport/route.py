"""From an address to an open, encrypted socket: names, proxies, certificates, each with a deadline and a sentence."""

from __future__ import annotations

import contextlib
import ipaddress
import queue
import select
import socket
import ssl
import threading
import time
import urllib.request
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote, urlsplit

import certifi
import python_socks
import python_socks.sync

from ..endpoints import is_loopback
from ..errors import (
    AddressForbidden,
    AddressNotFound,
    ConnectFailed,
    ProxyFailed,
    ProxyRefused,
    ProxyUnusable,
    TlsFailed,
    Unreachable,
)

PROXY_AUTHENTICATION_REQUIRED = 407
SOCKS_REFUSALS = ("Username and password authentication failure", "No acceptable authentication methods were offered")
LOOK_UP_BEFORE_PROXY = 1.0  # seconds; where names are not served here, most of the deadline is left for the proxy
PROXY_SAID = 200  # characters of what a proxy answers
DEFAULT_PORTS = {"ws": 80, "wss": 443, "http": 80, "socks5": 1080, "socks5h": 1080}
PROXY_TYPES = {
    "http": python_socks.ProxyType.HTTP,
    "socks5": python_socks.ProxyType.SOCKS5,
    "socks5h": python_socks.ProxyType.SOCKS5,
}


@dataclass(frozen=True)
class _Proxy:
    by: str  # the option or the variable that names it
    url: str = field(repr=False)


@dataclass(frozen=True)
class Route:
    """How addresses are reached.

    `proxy_url` is the user's own choice and always wins; without it the environment's HTTPS_PROXY, HTTP_PROXY,
    ALL_PROXY and NO_PROXY are honoured, except for this machine. With `public_only` (a shared cloud) private addresses
    are refused, behind a proxy too; the environment's proxy is the cloud's own, so only the user's must be public.
    """

    proxy_url: str | None = field(default=None, repr=False)  # it may hold a password
    public_only: bool = False

    def open_socket(self, url: str, deadline: float) -> socket.socket:
        """Opens a connected, for `wss` verified and encrypted socket to the host of `url`.

        `deadline` is a point on the monotonic clock, in seconds. Raises a `ConnectFailed`.
        """
        parts = urlsplit(url)
        host = str(parts.hostname)
        port = parts.port or DEFAULT_PORTS[parts.scheme]
        proxy = _Proxy("`proxy_url`", self.proxy_url) if self.proxy_url else _proxy_of_environment(parts.scheme, host)
        if proxy:
            if self.public_only:
                with contextlib.suppress(AddressNotFound):  # a name that only the proxy can look up
                    self._resolve(host, port, min(deadline, time.monotonic() + LOOK_UP_BEFORE_PROXY))
            sock = self._connect_through_proxy(proxy, host, port, deadline)
        else:
            sock = self._connect(host, port, deadline)
        if parts.scheme == "wss":
            return _encrypt(sock, host, deadline)
        return sock

    def _connect(self, host: str, port: int, deadline: float) -> socket.socket:
        addresses = self._resolve(host, port, deadline)
        failure: OSError | None = None
        for position, address in enumerate(addresses):
            remaining = deadline - time.monotonic()
            if remaining <= 0:
                break
            try:
                # A dead IPv6 route must not eat the time of the IPv4 address behind it.
                return socket.create_connection(address[:2], timeout=remaining / (len(addresses) - position))
            except OSError as error:
                failure = error
        raise Unreachable(host, port, _reason(failure)) from None

    def _connect_through_proxy(self, named: _Proxy, host: str, port: int, deadline: float) -> socket.socket:
        fault = fault_of_proxy(named.url)
        if fault:
            raise ProxyUnusable(named.by, fault)
        proxy = urlsplit(named.url)
        proxy_host, proxy_port = str(proxy.hostname), proxy.port or DEFAULT_PORTS[proxy.scheme]
        if self.public_only and named.url == self.proxy_url:
            # The resolved address itself is dialled, so that a second look-up cannot lead somewhere else.
            proxy_host = str(self._resolve(proxy_host, proxy_port, deadline)[0][0])
        connector = python_socks.sync.Proxy(
            proxy_type=PROXY_TYPES[proxy.scheme],
            host=proxy_host,
            port=proxy_port,
            username=unquote(proxy.username) if proxy.username else None,
            password=unquote(proxy.password or "") if proxy.username else None,
            rdns=proxy.scheme != "socks5",
        )
        try:
            return connector.connect(host, port, timeout=max(deadline - time.monotonic(), 0.1))
        except python_socks.ProxyTimeoutError:
            why = "no answer in time"
        except python_socks.ProxyConnectionError as error:
            cause = error.__cause__
            why = f"it could not be reached ({_reason(cause if isinstance(cause, OSError) else None)})"
        except python_socks.ProxyError as error:
            if error.error_code == PROXY_AUTHENTICATION_REQUIRED or str(error) in SOCKS_REFUSALS:
                raise ProxyRefused(without_credentials(named.url)) from None
            why = _said(error)
        except OSError as error:
            why = _reason(error)
        except UnicodeDecodeError:
            why = "its answer could not be read"
        except ValueError:  # such as a password in letters that the protocol does not have; it would quote them
            raise ProxyUnusable(
                named.by, "cannot be used: its address, user or password cannot be sent as written"
            ) from None
        raise ProxyFailed(without_credentials(named.url), why)

    def _resolve(self, host: str, port: int, deadline: float) -> list[tuple[Any, ...]]:
        """The socket addresses of a host. The resolver of the system takes no deadline, so a thread waits for it."""
        answers: queue.SimpleQueue[Any] = queue.SimpleQueue()

        def resolve() -> None:
            try:
                answers.put(socket.getaddrinfo(host, port, type=socket.SOCK_STREAM))
            except (OSError, UnicodeError):
                answers.put(None)

        threading.Thread(target=resolve, name=f"resolve {host}", daemon=True).start()
        try:
            found = answers.get(timeout=max(deadline - time.monotonic(), 0))
        except queue.Empty:
            found = None
        if not found:
            raise AddressNotFound(host)
        addresses = [entry[4] for entry in found]
        if self.public_only and not all(_is_public(str(address[0])) for address in addresses):
            raise AddressForbidden(host)
        return addresses


def without_credentials(url: str) -> str:
    """The URL as it may be shown: user and password left out."""
    parts = urlsplit(url)
    host = parts.hostname or ""
    return f"{parts.scheme}://{host}" + (f":{parts.port}" if parts.port else "")


def fault_of_proxy(url: str) -> str | None:
    """What is wrong with a proxy's address, as the end of a sentence that does not quote it; None if nothing is."""
    try:
        parts = urlsplit(url)
        # A password with a bare / ? or # ends the host early: its beginning would pass for a host, and hosts are shown.
        cut_short = "@" in parts.path + parts.query + parts.fragment
        if parts.scheme in PROXY_TYPES and parts.hostname and parts.port != 0 and not cut_short:
            return None
    except ValueError:
        pass
    return (
        "is not the address of a proxy; write it like http://host:3128, socks5://host:1080 or "
        "socks5h://host:1080, with user:password@ before the host where the proxy asks for them "
        "(/ ? # @ in a password as %2F %3F %23 %40)"
    )


def _proxy_of_environment(scheme: str, host: str) -> _Proxy | None:
    if is_loopback(host):
        return None  # another machine has another loopback, and plain `ws://` must not leave this one
    proxies = urllib.request.getproxies_environment()
    if urllib.request.proxy_bypass_environment(host, proxies):  # type: ignore[attr-defined]  # undocumented in typeshed
        return None
    for kind in ("https" if scheme == "wss" else "http", "all"):
        url = proxies.get(kind, "").strip()
        if url:
            return _Proxy(f"{kind.upper()}_PROXY", url if "://" in url else f"http://{url}")
    return None


def _encrypt(sock: socket.socket, host: str, deadline: float) -> ssl.SSLSocket:
    """TLS with the system's authorities, or those of SSL_CERT_FILE and SSL_CERT_DIR; nothing switches it off."""
    try:
        encrypted = _tls_context().wrap_socket(sock, server_hostname=host, do_handshake_on_connect=False)
        sock = encrypted  # it has taken over the descriptor, so it is what must be closed on failure
        encrypted.settimeout(0)
        waited_for: tuple[list[ssl.SSLSocket], list[ssl.SSLSocket]]
        while True:
            try:
                encrypted.do_handshake()
                return encrypted
            except ssl.SSLWantReadError:
                waited_for = ([encrypted], [])
            except ssl.SSLWantWriteError:
                waited_for = ([], [encrypted])
            remaining = deadline - time.monotonic()
            if remaining <= 0 or not any(select.select(*waited_for, [], remaining)):
                raise TimeoutError
    except TimeoutError:
        failure: ConnectFailed = TlsFailed(host, "the server did not finish the TLS handshake in time")
    except ssl.SSLCertVerificationError as error:
        failure = TlsFailed(host, f"its certificate was not accepted ({error.verify_message})")
    except ssl.SSLError as error:
        failure = TlsFailed(host, f"{error.reason or error}")
    except OSError as error:
        failure = TlsFailed(host, _reason(error))
    sock.close()
    raise failure from None


def _tls_context() -> ssl.SSLContext:
    context = ssl.create_default_context()
    # From Python 3.13 on this would refuse authorities of companies that leave out what RFC 5280 asks of a certificate,
    # and that every Python before accepts. Signatures, names and dates are verified all the same.
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    paths = ssl.get_default_verify_paths()
    if not paths.cafile and not paths.capath:
        context.load_verify_locations(certifi.where())  # a Python that was built without the system's authorities
    return context


def _is_public(address: str) -> bool:
    return ipaddress.ip_address(address.partition("%")[0]).is_global


def _reason(error: OSError | None) -> str:
    if error is None or isinstance(error, TimeoutError):
        return "no answer in time"
    if isinstance(error, ConnectionRefusedError):
        return "the connection was refused"
    if isinstance(error, socket.gaierror):
        return "its address could not be found"
    return (error.strerror or str(error)).lower()


def _said(error: python_socks.ProxyError) -> str:
    """What a proxy answered, as it may stand in a message: short, and with nothing that is no text."""
    return str(error).encode(errors="replace").decode()[:PROXY_SAID].lower() or "it broke off"
