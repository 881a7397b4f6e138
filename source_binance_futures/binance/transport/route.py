"""From an address to an open channel: straight or through a proxy, encrypted where the address says so."""

from __future__ import annotations

import contextlib
import socket
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from ..clock import Deadline
from ..errors import AddressNotFound, ProxyFailed, Unreachable
from .address import DEFAULT_PORTS
from .channel import Channel
from .proxy import Proxy, pass_through, proxy_of_environment
from .tcp import dial, reason, resolve
from .tls import encrypt

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

    def open(self, url: str, deadline: Deadline) -> Channel:
        """An open channel to the host of `url`, for `wss` verified and encrypted. Raises a `ConnectFailed`."""
        parts = urlsplit(url)
        host = str(parts.hostname)
        port = parts.port or DEFAULT_PORTS[parts.scheme]
        proxy = self._proxy_for(parts.scheme, host)
        sock = self._through(proxy, host, port, deadline) if proxy else self._straight(host, port, deadline)
        return encrypt(sock, host, deadline) if parts.scheme == "wss" else Channel(sock)

    def _proxy_for(self, scheme: str, host: str) -> Proxy | None:
        return Proxy.parse(self.proxy_url, "`proxy_url`") if self.proxy_url else proxy_of_environment(scheme, host)

    def _straight(self, host: str, port: int, deadline: Deadline) -> socket.socket:
        addresses = resolve(host, port, deadline, public_only=self.public_only)
        try:
            return dial(addresses, deadline)
        except OSError as error:
            raise Unreachable(host, port, reason(error)) from None

    def _through(self, proxy: Proxy, host: str, port: int, deadline: Deadline) -> socket.socket:
        if self.public_only:
            with contextlib.suppress(AddressNotFound):  # a name that only the proxy can look up
                resolve(host, port, deadline.or_after(LOOK_UP_BEFORE_PROXY), public_only=True)
        if proxy.scheme == "socks5":
            host = resolve(host, port, deadline, public_only=self.public_only)[0][0]
        must_be_public = self.public_only and self.proxy_url is not None
        try:
            # The resolved address itself is dialled, so that a second look-up cannot lead somewhere else.
            sock = dial(resolve(proxy.host, proxy.port, deadline, public_only=must_be_public), deadline)
        except AddressNotFound:
            why = "its address could not be found"
        except OSError as error:
            why = reason(error)
        else:
            try:
                pass_through(Channel(sock), proxy, host, port, deadline)
                return sock
            except BaseException:
                sock.close()
                raise
        raise ProxyFailed(proxy.shown, f"it could not be reached ({why})")
