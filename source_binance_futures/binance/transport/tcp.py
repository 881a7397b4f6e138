"""Names and sockets: the addresses of a host, and a connection to the first one that answers."""

from __future__ import annotations

import ipaddress
import queue
import socket
from collections.abc import Sequence

from ..clock import Deadline
from ..errors import AddressForbidden, AddressNotFound
from ..threads import start_thread

Address = tuple[str, int]


def resolve(host: str, port: int, deadline: Deadline, *, public_only: bool = False) -> list[Address]:
    """The addresses of a host. The resolver of the system takes no deadline, so a thread waits for it.

    With `public_only` none of them may be private. Raises `AddressNotFound`, `AddressForbidden` or `NoThread`.
    """
    answers: queue.SimpleQueue[list[Address]] = queue.SimpleQueue()

    def look_up() -> None:
        try:
            found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except (OSError, ValueError, OverflowError):  # a name that cannot be encoded is a ValueError
            found = []
        answers.put([(str(entry[4][0]), port) for entry in found])

    start_thread(f"resolve {host}", look_up, f"No connection to {host} was tried")
    try:
        addresses = answers.get(timeout=deadline.remaining())
    except queue.Empty:
        addresses = []
    if not addresses:
        raise AddressNotFound(host)
    if public_only and not all(is_public(address) for address, _ in addresses):
        raise AddressForbidden(host)
    return addresses


def dial(addresses: Sequence[Address], deadline: Deadline) -> socket.socket:
    """A connection to the first of the addresses that takes one. Raises the `OSError` of the last one tried."""
    failure: OSError = TimeoutError()
    for position, address in enumerate(addresses):
        if deadline.expired:
            break
        try:
            # A dead IPv6 route must not eat the time of the IPv4 address behind it.
            return socket.create_connection(address, timeout=deadline.timeout() / (len(addresses) - position))
        except OSError as error:
            failure = error
    raise failure


def is_public(address: str) -> bool:
    return ipaddress.ip_address(address.partition("%")[0]).is_global


def reason(error: OSError) -> str:
    """Why something failed, as a part of a sentence."""
    if isinstance(error, TimeoutError):
        return "no answer in time"
    if isinstance(error, ConnectionRefusedError):
        return "the connection was refused"
    return (error.strerror or str(error)).lower()
