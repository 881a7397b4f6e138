"""TLS over a connected socket, which hands out all that has arrived, whatever the size of the TLS records.

Python's `SSLSocket` reads one TLS record in a call, with two calls of the system for each: where a server writes a
record for each frame, that is most of the work. Here the socket is read in bulk, and OpenSSL decrypts from memory.
"""

from __future__ import annotations

import contextlib
import os
import socket
import ssl
from collections.abc import Callable
from typing import Any

import certifi

from ..clock import Clock, Deadline
from ..errors import TlsFailed, TlsUnusable
from ..text import utc
from .sockets import READ_BYTES, ByteStream, EndOfStream, reason

# Reasons of an `ssl.SSLError` where what came is no TLS record.
NOT_TLS = frozenset(
    {"WRONG_VERSION_NUMBER", "WRONG_SSL_VERSION", "UNKNOWN_PROTOCOL", "HTTP_REQUEST", "PACKET_LENGTH_TOO_LONG"}
    | {"RECORD_LAYER_FAILURE", "BAD_RECORD_TYPE", "RECORD_TOO_SMALL", "UNEXPECTED_MESSAGE"}
)
OPENSSL_VARIABLES = ("OPENSSL_CONF", "OPENSSL_MODULES", "OPENSSL_ENGINES")
CHECK_ADDRESS = "Check the address and its port, and whether something in between answers in the server's place."
IN_BETWEEN = "Try again. If it lasts, a firewall may be in between: try another network, or a proxy (`proxy_url`)."
OTHER_NAME = "Another server answers: check DNS and the address, and whether a provider or a firewall blocks Binance."
OTHER_TIME = "Check this machine's clock, which says {now}; if it is right, the certificate that came is out of date."
UNKNOWN_ISSUER = (
    "Something in between, such as a company's proxy or a virus scanner, replaces certificates: "
    "set SSL_CERT_FILE to your authority's certificate.{named}"
)
# What to do, by OpenSSL's X509_V_ERR_*, as `ssl.SSLCertVerificationError.verify_code` has them.
ADVICE = {
    **dict.fromkeys((62, 64), OTHER_NAME),  # the host's name, its IP address
    **dict.fromkeys(range(9, 15), OTHER_TIME),  # not yet valid, expired; of a certificate or a revocation list
    **dict.fromkeys((2, 18, 19, 20, 21, 27), UNKNOWN_ISSUER),  # not found, self-signed, not trusted
}
RECORD_BYTES = 16 * 1024  # the most that one TLS record carries, RFC 8446 section 5.1


def tls_context() -> ssl.SSLContext:
    """Return what verifies servers: by the system's authorities, or those of SSL_CERT_FILE and SSL_CERT_DIR.

    Raises `TlsUnusable`, since OpenSSL passes over what it cannot read, and no server would be trusted then.
    """
    try:
        context = ssl.create_default_context()
    except ssl.SSLError as error:
        found = [f"{name} names {os.environ[name]}" for name in OPENSSL_VARIABLES if os.environ.get(name)]
        where = f"; {' and '.join(found)}: correct or remove it" if found else "; check its configuration, openssl.cnf"
        raise TlsUnusable(f"OpenSSL could not be set up ({_plain(error)}){where}") from error
    except OSError as error:  # the only file that Python itself opens here
        raise _unusable("SSLKEYLOGFILE", error.filename, reason(error)) from error
    # From Python 3.13 on this would refuse authorities of companies that leave out what RFC 5280 asks of a certificate,
    # and that every Python before accepts. Signatures, names and dates are verified all the same.
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    context.options |= ssl.OP_NO_RENEGOTIATION  # it would make reading wait for writing
    paths = ssl.get_default_verify_paths()
    file, folders = os.environ.get(paths.openssl_cafile_env), os.environ.get(paths.openssl_capath_env)
    if folders and not any(os.access(folder, os.R_OK | os.X_OK) for folder in folders.split(os.pathsep)):
        raise _unusable(paths.openssl_capath_env, folders, "no such folder can be read")
    if file or not (paths.cafile or paths.capath):  # certifi where Python was built without the system's authorities
        try:
            context.load_verify_locations(file or certifi.where())
        except OSError as error:
            why = "it holds no certificate" if isinstance(error, ssl.SSLError) else reason(error)
            if file:
                raise _unusable(paths.openssl_cafile_env, file, why) from error
            raise _unusable("the package certifi", certifi.where(), why, "install it again") from error
    return context


def _unusable(variable: str, path: str, why: str, remedy: str = "correct the variable or remove it") -> TlsUnusable:
    return TlsUnusable(f"{variable} names {path}, which cannot be used ({why}); {remedy}")


def _why(error: OSError | ValueError, clock: Clock) -> tuple[str, str]:
    """Why a handshake failed, as a clause, and what to do about it, in sentences."""
    if isinstance(error, ssl.SSLCertVerificationError):
        file = os.environ.get("SSL_CERT_FILE")
        named = f" SSL_CERT_FILE names {file} now, and the authority is not in it." if file else ""
        advice = ADVICE.get(error.verify_code, IN_BETWEEN).format(now=utc(clock.epoch(), "seconds"), named=named)
        return f"its certificate was not accepted ({error.verify_message})", advice
    if isinstance(error, ssl.SSLError) and error.reason in NOT_TLS:
        return "the server does not speak TLS on this port", CHECK_ADDRESS
    if isinstance(error, OSError):
        return _plain(error) if isinstance(error, ssl.SSLError) else reason(error), IN_BETWEEN
    return "a certificate cannot name this host", CHECK_ADDRESS


def _plain(error: ssl.SSLError) -> str:
    """OpenSSL's own words, such as `tlsv1 alert protocol version`."""
    return (error.reason or str(error)).replace("_", " ").lower()


class TlsStream(ByteStream):
    """An encrypted connection. What OpenSSL itself wants to send while it reads goes out with the next `send`."""

    def __init__(self, sock: socket.socket, context: ssl.SSLContext, host: str, deadline: Deadline) -> None:
        """Shakes hands over a connected socket, which is closed where that fails. Raises `TlsFailed`."""
        super().__init__(sock)
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        try:
            self._tls = context.wrap_bio(self._incoming, self._outgoing, server_hostname=host)
            self._read_until(self._tls.do_handshake, deadline)
            self._flush(deadline)
        except (OSError, ValueError) as error:
            with contextlib.suppress(OSError):
                self._flush(deadline)  # the alert that tells the server why
            sock.close()
            raise TlsFailed(host, *_why(error, deadline.clock)) from error

    def receive(self, size: int, deadline: Deadline) -> bytes:
        self.holds_bytes = True  # the read that brings these bytes may bring others
        data: bytes = self._read_until(lambda: self._tls.read(size), deadline)
        if not data:
            raise EndOfStream
        return data

    def take(self) -> tuple[bytes, bool]:
        """Never more than one read of the socket brings, and the record that was incomplete before it."""
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
        self.holds_bytes = self._end is not None
        if not chunks:
            raise self._end or BlockingIOError
        return b"".join(chunks), drained

    def send(self, data: bytes, deadline: Deadline) -> None:
        self._tls.write(data)
        self._flush(deadline)

    def leave(self, last_words: bytes, clock: Clock) -> None:
        with contextlib.suppress(ssl.SSLError):
            self._tls.write(last_words)
        with contextlib.suppress(ssl.SSLError):  # it wants to read the server's answer, and that is not waited for
            self._tls.unwrap()
        super().leave(self._outgoing.read(), clock)

    def _read_until(self, done: Callable[[], Any], deadline: Deadline) -> Any:
        """Read off the socket until OpenSSL has what it needs."""
        while True:
            with contextlib.suppress(ssl.SSLWantReadError):
                return done()
            self._flush(deadline)
            self._socket.settimeout(deadline.timeout())
            self._incoming.write(self._read(READ_BYTES))

    def _flush(self, deadline: Deadline) -> None:
        super().send(self._outgoing.read(), deadline)
