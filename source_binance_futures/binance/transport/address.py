"""Addresses of WebSocket servers, as a person writes them."""

from __future__ import annotations

import ipaddress
from urllib.parse import urlsplit

DEFAULT_PORTS = {"ws": 80, "wss": 443}


def normalized_address(url: str) -> str:
    """The address with its scheme in lower case, and without the spaces around it: `wss://Host/Path`."""
    scheme, separator, rest = url.strip().partition("://")
    return f"{scheme.lower()}{separator}{rest}" if separator else scheme


def host_of(url: str) -> str:
    """The host of an address as a person names it, with its port where one is written: `[::1]:8765`."""
    return urlsplit(url).netloc.rpartition("@")[2].lower()


def fault_of_address(url: str) -> str | None:
    """What is wrong with an address that a user typed, as the end of a sentence; None if nothing is."""
    form = "write it like wss://host or wss://host:port"
    try:
        parts = urlsplit(url)
        host = parts.hostname
        _ = parts.port
    except ValueError:
        return f"is not an address; {form}"
    # Neither spaces nor control characters can be sent, nor half of a surrogate pair, which no encoding has.
    can_be_sent = url.isprintable() and not any(map(str.isspace, url))
    if parts.scheme not in DEFAULT_PORTS or not host or not can_be_sent:
        return f"is not a WebSocket address; {form}"
    if parts.username is not None or parts.password is not None:
        return "contains a user or password; market data needs none, so leave them out"
    if parts.scheme == "ws" and not is_loopback(host):  # anybody on the way could change what is sent
        return "is not encrypted; write wss:// (ws:// is accepted for this machine only, such as ws://127.0.0.1:8765)"
    if parts.fragment:
        return "contains a # part, which no WebSocket address has; leave it out"
    return None


def is_loopback(host: str) -> bool:
    """Whether a host is written as this machine itself; no name is looked up."""
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
