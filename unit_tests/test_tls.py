"""What TLS needs of this machine, and what is said where a handshake fails."""

from __future__ import annotations

import datetime
import fcntl
import os
import socket
import ssl
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
import trustme

from source_binance_futures.binance.clock import Clock
from source_binance_futures.binance.errors import ConnectFailed, Owner, TlsFailed, TlsUnusable
from source_binance_futures.binance.transport.connection import Connection
from source_binance_futures.binance.transport.proxy import Route
from source_binance_futures.binance.transport.sockets import ByteStream
from source_binance_futures.binance.transport.tls import TlsStream, tls_context
from source_binance_futures.output import Output

from .sockets import PATIENCE, begin, tcp_ends


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def authority_file(authority: trustme.CA, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))
    return tmp_path / "ca.pem"


@contextmanager
def server_of(certificate: trustme.LeafCert | None, says: bytes = b"") -> Iterator[int]:
    """The port of a server that shakes hands with one client, or says something else, and then waits for its end."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    if certificate is not None:
        certificate.configure_cert(context)

    def serve() -> None:
        client, _ = listener.accept()
        with client:
            client.settimeout(PATIENCE)
            if certificate is None:
                client.sendall(says)
                while client.recv(4096):
                    pass
                return
            with suppress(OSError):
                context.wrap_socket(client, server_side=True).close()

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = begin(serve)
        yield listener.getsockname()[1]
        thread.join(PATIENCE)


def failure_at(port: int) -> ConnectFailed:
    with pytest.raises(ConnectFailed) as raised:
        Route().open(f"wss://localhost:{port}", Clock().deadline(PATIENCE))
    return raised.value


@pytest.mark.parametrize(
    ("content", "why"),
    [
        pytest.param(None, "no such file or directory", id="that is not there"),
        pytest.param("folder", "is a directory", id="that is a folder"),
        pytest.param(b"", "it holds no certificate", id="that is empty"),
        pytest.param(b"\x00key", "it holds no certificate", id="that is something else"),
    ],
)
def test_a_file_of_authorities(
    content: bytes | str | None, why: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is named before anything is dialled: nobody listens there, and nothing is said of that."""
    path = tmp_path / "authorities.pem"
    if content == "folder":
        path.mkdir()
    elif isinstance(content, bytes):
        path.write_bytes(content)
    monkeypatch.setenv("SSL_CERT_FILE", str(path))
    failure = failure_at(1)
    assert isinstance(failure, TlsUnusable)
    assert failure.owner is Owner.USER
    assert f"SSL_CERT_FILE names {path}, which cannot be used ({why})" in str(failure)


def test_folders_of_authorities(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folders = f"{tmp_path}/a:{tmp_path}/b"
    monkeypatch.setenv("SSL_CERT_DIR", folders)
    assert f"SSL_CERT_DIR names {folders}, which cannot be used (no such folder can be read)" in str(failure_at(1))
    (tmp_path / "b").mkdir()
    assert not isinstance(failure_at(1), TlsUnusable)


@pytest.mark.parametrize("path", ["", "no/such/folder/keys"])
def test_a_file_of_keys_that_cannot_be_written(path: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    keys = tmp_path / path
    monkeypatch.setenv("SSLKEYLOGFILE", str(keys))
    failure = failure_at(1)
    assert failure.owner is Owner.USER
    assert f"SSLKEYLOGFILE names {keys}, which cannot be used (" in str(failure)


def test_a_configuration_of_openssl(tmp_path: Path) -> None:
    """It is read once, when a process loads OpenSSL; here it asks for a provider that leaves no ciphers."""
    config = tmp_path / "openssl.cnf"
    config.write_text("openssl_conf = i\n[i]\nproviders = p\n[p]\nfips = f\n[f]\nactivate = 1\n")
    program = (
        "from source_binance_futures.binance.transport.tls import tls_context\n"
        "from source_binance_futures.binance.errors import TlsUnusable\n"
        "try:\n    tls_context()\nexcept TlsUnusable as error:\n    print(error)\n"
    )
    variables = os.environ | {"OPENSSL_CONF": str(config)}
    run = subprocess.run([sys.executable, "-c", program], env=variables, capture_output=True, text=True, check=True)
    assert f"OPENSSL_CONF names {config}: correct or remove it." in run.stdout


LONG_AGO = datetime.datetime(2020, 1, 1, tzinfo=datetime.timezone.utc)


@pytest.mark.parametrize(
    ("name", "until", "why", "advice"),
    [
        ("blocked.example", None, "not accepted (Hostname mismatch", "Another server answers: check DNS"),
        ("localhost", LONG_AGO, "certificate has expired", "Check this machine's clock, which says 20"),
    ],
)
@pytest.mark.usefixtures("authority_file")
def test_advice_on_a_certificate_of_another_name_or_time(
    authority: trustme.CA, name: str, until: datetime.datetime | None, why: str, advice: str
) -> None:
    with server_of(authority.issue_cert(name, not_after=until)) as port:
        sentence = str(failure_at(port))
    assert why in sentence
    assert advice in sentence
    assert "SSL_CERT_FILE" not in sentence
    assert ("clock" in sentence) is (until is not None)


def test_advice_on_an_authority_that_is_not_known(
    authority: trustme.CA, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SSL_CERT_FILE", raising=False)
    with server_of(authority.issue_cert("localhost")) as port:
        sentence = str(failure_at(port))
    assert "set SSL_CERT_FILE to your authority's certificate." in sentence
    assert "clock" not in sentence
    other = tmp_path / "other.pem"
    trustme.CA().cert_pem.write_to_path(str(other))
    monkeypatch.setenv("SSL_CERT_FILE", str(other))
    with server_of(authority.issue_cert("localhost")) as port:
        assert f"SSL_CERT_FILE names {other} now, and the authority is not in it." in str(failure_at(port))


NO_TLS = "failed: the server does not speak TLS on this port. Check the address and its port"


@pytest.mark.parametrize(
    ("says", "sentence"),
    [
        *[(says, NO_TLS) for says in (b"HTTP/1.1 400 Bad\r\n\r\n", b"220 mail\r\n", bytes(64), b"\xff" * 64)],
        (b"\x15\x03\x03\x00\x02\x02\x28", "handshake failure. Try again. If it lasts"),
    ],
)
def test_a_handshake_that_fails_is_reported_in_words_and_not_about_certificates(says: bytes, sentence: str) -> None:
    with server_of(None, says) as port:
        failure = failure_at(port)
    assert isinstance(failure, TlsFailed)
    assert sentence in str(failure)
    assert "_" not in str(failure).partition("(`proxy_url`)")[0]
    assert "certificate" not in str(failure)


def test_a_server_that_says_nothing_is_left_at_the_deadline() -> None:
    with tcp_ends() as (client, _), pytest.raises(TlsFailed, match=r"failed: no answer in time\. Try again\."):
        TlsStream(client, tls_context(), "localhost", Clock().deadline(0.05))


def beyond(descriptor: int) -> int:
    """A copy of a descriptor, with a number that `select.select` does not take."""
    return fcntl.fcntl(descriptor, fcntl.F_DUPFD, 1500)


def test_descriptors_beyond_1023_are_waited_for() -> None:
    with tcp_ends() as (client, server):
        connection = Connection(ByteStream(socket.socket(fileno=beyond(client.fileno()))), 100, Clock())
        assert not connection.wait(0)
        assert not connection.wait(-1)
        threading.Timer(0.1, server.sendall, args=(b"\x81\x02hi",)).start()
        assert connection.wait(PATIENCE)
        assert connection.receive().payloads == [b"hi"]
        connection.close()


def test_an_output_beyond_1023_is_waited_for() -> None:
    reader, writer = os.pipe()
    high = beyond(writer)
    os.set_blocking(high, False)
    received: list[bytes] = []
    with open(reader, "rb") as pipe:
        thread = begin(lambda: received.append(pipe.read(2**20)))
        Output(high, Clock()).write_all(bytes(2**20))
        thread.join(PATIENCE)
    assert received == [bytes(2**20)]
    for descriptor in (writer, high):
        os.close(descriptor)
