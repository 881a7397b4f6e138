"""From an address to an open stream: straight or through a proxy, encrypted where the address says so."""

from __future__ import annotations

import contextlib
import socket
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from ..clock import Deadline
from ..errors import AddressNotFound, ProxyFailed, Unreachable
from .address import DEFAULT_PORTS
from .proxy import Proxy, pass_through, proxy_of_environment
from .sockets import ByteStream, dial, reason, resolve
from .tls import encrypt, tls_context

LOOK_UP_BEFORE_PROXY = 1.0  # seconds; where names are not served here, most of the deadline is left for the proxy


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
        port = parts.port or DEFAULT_PORTS[parts.scheme]
        context = tls_context() if parts.scheme == "wss" else None  # first: what it lacks is this machine's fault
        proxy = self._proxy_for(parts.scheme, host, port)
        sock = self._through(proxy, host, port, deadline) if proxy else self._straight(host, port, deadline)
        return encrypt(sock, context, host, deadline) if context else ByteStream(sock)

    def _proxy_for(self, scheme: str, host: str, port: int) -> Proxy | None:
        return (
            Proxy.parse(self.proxy_url, "`proxy_url`") if self.proxy_url else proxy_of_environment(scheme, host, port)
        )

    def _straight(self, host: str, port: int, deadline: Deadline) -> socket.socket:
        addresses = resolve(host, port, deadline, public_only=self.public_only)
        try:
            return dial(addresses, deadline)
        except OSError as error:
            raise Unreachable(host, port, reason(error)) from error

    def _through(self, proxy: Proxy, host: str, port: int, deadline: Deadline) -> socket.socket:
        if self.public_only:
            with contextlib.suppress(AddressNotFound):  # a name that only the proxy can look up
                resolve(host, port, deadline.or_after(LOOK_UP_BEFORE_PROXY), public_only=True)
        if proxy.scheme != "socks5":
            return self._ask(proxy, host, port, deadline)
        # The proxy may reach some of the addresses only: many have no IPv6.
        addresses = resolve(host, port, deadline, public_only=self.public_only)
        for position, (address, _) in enumerate(addresses[:-1]):
            with contextlib.suppress(ProxyFailed):
                share = deadline.remaining() / (len(addresses) - position)
                return self._ask(proxy, address, port, deadline.or_after(share))
        return self._ask(proxy, addresses[-1][0], port, deadline)

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
