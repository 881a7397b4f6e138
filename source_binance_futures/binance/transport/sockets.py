"""Names and sockets: the addresses of a host, a connection to one of them, and its bytes in both directions."""

from __future__ import annotations

import contextlib
import ipaddress
import queue
import socket

from ..clock import Clock, Deadline, start_thread
from ..errors import AddressForbidden, AddressNotFound, NoThread

READ_BYTES = 256 * 1024
LINGER_SECONDS, LINGER_BYTES = 1.0, 16 * 1024 * 1024


def resolve(host: str, port: int, deadline: Deadline, *, public_only: bool = False) -> list[str]:
    """The addresses of a host, none of them private with `public_only`. Raises a `ConnectFailed`."""
    answers: queue.SimpleQueue[list[str]] = (
        queue.SimpleQueue()
    )  # the system's resolver takes no deadline: a thread waits

    def look_up() -> None:
        try:
            found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except (OSError, ValueError, OverflowError):  # a name that cannot be encoded is a ValueError
            found = []
        answers.put([str(entry[4][0]) for entry in found])

    start_thread(f"resolve {host}", look_up, f"No connection to {host} was tried")
    addresses: list[str] = []
    with contextlib.suppress(queue.Empty):
        addresses = answers.get(timeout=deadline.remaining())
    if not addresses:
        raise AddressNotFound(host)
    if public_only and not all(ipaddress.ip_address(address.partition("%")[0]).is_global for address in addresses):
        raise AddressForbidden(host)
    return addresses


def dial(host: str, port: int, deadline: Deadline, *, public_only: bool = False) -> socket.socket:
    """A connection to the first address that takes one. Raises as `resolve`, or the `OSError` of the last one tried."""
    failure: OSError = TimeoutError()
    # What was looked at is dialled, so that a second look-up cannot lead somewhere else.
    addresses = resolve(host, port, deadline, public_only=public_only)
    for position, address in enumerate(addresses):
        if deadline.expired:
            break
        try:
            # A dead IPv6 route must not eat the time of the IPv4 address behind it.
            share = deadline.timeout() / (len(addresses) - position)
            return socket.create_connection((address, port), timeout=share)
        except OSError as error:
            failure = error
    raise failure


def reason(error: Exception) -> str:
    """Why something failed, as a part of a sentence."""
    if isinstance(error, TimeoutError):
        return "no answer in time"
    if isinstance(error, ConnectionRefusedError):
        return "the connection was refused"
    return error.strerror.lower() if isinstance(error, OSError) and error.strerror else str(error)


class EndOfStream(ConnectionError):
    """The other side has sent everything that it had to send."""

    def __init__(self) -> None:
        super().__init__("the connection was closed")


class ByteStream:
    """A plain connection; `TlsStream` is the encrypted one. It belongs to one thread."""

    holds_bytes = False  # whether `take` has something to hand out that `select` does not know of

    def __init__(self, sock: socket.socket) -> None:
        self._socket = sock
        self._end: OSError | None = None  # how it ended; raised once all that came before was handed out

    def fileno(self) -> int:
        """For `select`; -1 once the connection is left or closed."""
        return self._socket.fileno()

    def receive(self, size: int, deadline: Deadline) -> bytes:
        """Waits for at most so many bytes. Raises an `OSError`, such as `TimeoutError` or `EndOfStream`."""
        self._socket.settimeout(deadline.timeout())
        return self._read(size)

    def take(self) -> tuple[bytes, bool]:
        """What has arrived, up to 256 KiB, and whether that was all. Raises `BlockingIOError`, or how it has ended."""
        self._socket.settimeout(0)
        data = self._read(READ_BYTES)
        return data, len(data) < READ_BYTES

    def has_ended(self) -> bool:
        """Whether the other side has ended the connection, and nothing is left to `take`."""
        self._socket.settimeout(0)
        try:
            return self._end is not None or not self._socket.recv(1, socket.MSG_PEEK)
        except BlockingIOError:
            return False
        except OSError as error:
            self._end = error  # the system tells a reset once
            return True

    def send(self, data: bytes, deadline: Deadline) -> None:
        """Sends all of it. Raises an `OSError`, after which nothing more can be sent."""
        self._socket.settimeout(deadline.timeout())
        self._socket.sendall(data)

    def leave(self, last_words: bytes, clock: Clock) -> None:
        """Sends the last words if that needs no waiting, says that nothing more will come, and closes soon.

        A socket that is closed with bytes unread, or that more bytes reach, answers with a reset, which overtakes the
        last words. So what comes is read off for a second, in a thread of its own (RFC 6455 section 7.1.1).
        """
        sock = socket.socket(fileno=self._socket.detach())
        sock.settimeout(0)
        with contextlib.suppress(OSError):
            sock.sendall(last_words)
        with contextlib.suppress(OSError):
            sock.shutdown(socket.SHUT_WR)
        linger = clock.deadline(LINGER_SECONDS)

        def read_off() -> None:
            budget, buffer, count = LINGER_BYTES, bytearray(64 * 1024), 1
            with contextlib.closing(sock), contextlib.suppress(OSError):
                while count > 0 and budget > 0:
                    sock.settimeout(linger.timeout())
                    count = sock.recv_into(buffer)
                    budget -= count

        try:
            start_thread("leave a connection", read_off, "The last words were not waited for")
        except NoThread:  # they may be lost, and nobody waits for an answer
            sock.close()

    def close(self) -> None:
        """Closes at once."""
        self._socket.close()

    def _read(self, size: int) -> bytes:
        if self._end is not None:
            raise self._end
        data = self._socket.recv(size)
        if not data:
            raise EndOfStream
        return data
