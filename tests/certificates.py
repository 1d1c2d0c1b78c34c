"""TLS for servers of tests."""

from __future__ import annotations

import ssl
import subprocess
from pathlib import Path

from tests import parts


def certified(folder: Path) -> tuple[Path, ssl.SSLContext]:
    """The certificate of a server on 127.0.0.1, which signs for itself, and what the server needs; both in `folder`."""
    openssl = parts.need_program("openssl", "install openssl")
    certificate, key = folder / "ca.crt", folder / "key"
    command = [openssl, "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=127.0.0.1", "-days", "2"]
    command += ["-addext", "subjectAltName=IP:127.0.0.1", "-keyout", str(key), "-out", str(certificate)]
    subprocess.run(command, check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    return certificate, context
