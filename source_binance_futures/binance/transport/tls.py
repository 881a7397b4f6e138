"""TLS over a connected socket, which hands out all that has arrived, whatever the size of the TLS records.

Python's `SSLSocket` reads one TLS record in a call, with two calls of the system for each: where a server writes a
record for each frame, that is most of the work. Here the socket is read in bulk, and OpenSSL decrypts from memory.
"""

from __future__ import annotations

import contextlib
import socket
import ssl

import certifi

from ..clock import Clock, Deadline
from ..errors import TlsFailed
from .channel import READ_BYTES, Channel, EndOfStream
from .tcp import reason

RECORD_BYTES = 16 * 1024  # the most that one TLS record carries, RFC 8446 section 5.1


def encrypt(sock: socket.socket, host: str, deadline: Deadline) -> TlsChannel:
    """TLS with the system's authorities, or those of SSL_CERT_FILE and SSL_CERT_DIR; nothing switches it off.

    Raises `TlsFailed`; the socket is closed then.
    """
    try:
        channel = TlsChannel(sock, tls_context(), host)
        channel.shake_hands(deadline)
        return channel
    except TimeoutError:
        why = "the server did not finish the TLS handshake in time"
    except ssl.SSLCertVerificationError as error:
        why = f"its certificate was not accepted ({error.verify_message})"
    except ssl.SSLError as error:
        why = f"{error.reason or error}"
    except OSError as error:
        why = reason(error)
    except ValueError:
        why = "a certificate cannot name this host"
    sock.close()
    raise TlsFailed(host, why)


def tls_context() -> ssl.SSLContext:
    context = ssl.create_default_context()
    # From Python 3.13 on this would refuse authorities of companies that leave out what RFC 5280 asks of a certificate,
    # and that every Python before accepts. Signatures, names and dates are verified all the same.
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    context.options |= ssl.OP_NO_RENEGOTIATION  # it would make reading wait for writing
    paths = ssl.get_default_verify_paths()
    if not paths.cafile and not paths.capath:
        context.load_verify_locations(certifi.where())  # a Python that was built without the system's authorities
    return context


class TlsChannel(Channel):
    """An encrypted connection. What OpenSSL itself wants to send while it reads goes out with the next `send`."""

    def __init__(self, sock: socket.socket, context: ssl.SSLContext, host: str) -> None:
        super().__init__(sock)
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._incoming, self._outgoing, server_hostname=host)
        self._more_than_select_knows = False
        self._end: OSError | None = None  # how the stream ended; it is raised once everything before was handed out

    def shake_hands(self, deadline: Deadline) -> None:
        """Raises an `OSError`, such as `TimeoutError` or one of those of `ssl`."""
        while True:
            try:
                self._tls.do_handshake()
                break
            except ssl.SSLWantReadError:
                self._flush(deadline)
                self._fill(deadline)
            except ssl.SSLError:
                with contextlib.suppress(OSError):
                    self._flush(deadline)  # the alert that tells the server why
                raise
        self._flush(deadline)

    def holds_bytes(self) -> bool:
        return self._more_than_select_knows

    def receive(self, size: int, deadline: Deadline) -> bytes:
        self._more_than_select_knows = True  # the read that brings these bytes may bring others
        while True:
            try:
                data = self._tls.read(size)
            except ssl.SSLWantReadError:
                self._fill(deadline)
                continue
            if not data:
                raise EndOfStream
            return data

    def take(self) -> tuple[bytes, bool]:
        drained = True
        if self._end is None:
            try:
                self._socket.settimeout(0)
                data = self._read(READ_BYTES)
                self._incoming.write(data)
                drained = len(data) < READ_BYTES
            except BlockingIOError:
                pass
            except OSError as error:
                self._end = error
        chunks = self._decrypt_all()
        self._more_than_select_knows = self._end is not None
        if not chunks:
            raise self._end or BlockingIOError
        return b"".join(chunks), drained

    def has_ended(self) -> bool:
        return self._end is not None or super().has_ended()

    def send(self, data: bytes, deadline: Deadline) -> None:
        self._tls.write(data)
        self._flush(deadline)

    def leave(self, last_words: bytes, clock: Clock) -> None:
        with contextlib.suppress(ssl.SSLError):
            self._tls.write(last_words)
        with contextlib.suppress(ssl.SSLError):  # it wants to read the server's answer, and that is not waited for
            self._tls.unwrap()
        super().leave(self._outgoing.read(), clock)

    def _fill(self, deadline: Deadline) -> None:
        self._socket.settimeout(deadline.timeout())
        self._incoming.write(self._read(READ_BYTES))

    def _flush(self, deadline: Deadline) -> None:
        super().send(self._outgoing.read(), deadline)

    def _decrypt_all(self) -> list[bytes]:
        """Never more than one read of the socket brought, and the record that was incomplete before it."""
        chunks: list[bytes] = []
        read, append = self._tls.read, chunks.append
        try:
            while chunk := read(RECORD_BYTES):
                append(chunk)
            self._end = EndOfStream()  # the server said so: a close_notify
        except ssl.SSLWantReadError:
            pass
        except ssl.SSLError as error:
            self._end = error
        return chunks
