"""The certificate that `make app HTTPS=1` has made, and a connection that trusts it."""

import os
import re
import shutil
import socket
import ssl
import stat
import subprocess
import sys
import threading
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

pytestmark = pytest.mark.processes
needs_openssl = pytest.mark.skipif(not shutil.which("openssl"), reason="openssl is not installed")


def certificate(folder: Path, **environment: str) -> subprocess.CompletedProcess:
    command = [sys.executable, str(ROOT / "deploy" / "certificate.py"), str(folder), "8600"]
    return subprocess.run(command, capture_output=True, text=True, env=os.environ | environment)


@needs_openssl
def test_a_browser_that_trusts_it_can_connect(tmp_path):
    folder = tmp_path / "https"
    done = certificate(folder)
    assert done.returncode == 0, done.stderr
    hosts = re.findall(r"https://([\d.a-z]+):8600", done.stdout)
    assert hosts[0] == "localhost"
    server = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    server.load_cert_chain(folder / "certificate.pem", folder / "key.pem")
    client = ssl.create_default_context(cafile=folder / "certificate.pem")
    for host in (*hosts, socket.gethostname().lower(), "127.0.0.1"):
        ours, theirs = socket.socketpair()
        answering = threading.Thread(target=lambda end=theirs: server.wrap_socket(end, server_side=True).close())
        answering.start()
        client.wrap_socket(ours, server_hostname=host).close()  # raises where the certificate is not for this host
        answering.join()


@needs_openssl
def test_it_is_made_once_and_its_key_is_nobody_elses(tmp_path):
    assert certificate(tmp_path).returncode == 0
    key = tmp_path / "key.pem"
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    first = key.read_bytes()
    assert certificate(tmp_path).returncode == 0 and key.read_bytes() == first
    (tmp_path / "names.txt").write_text("DNS:another-name")  # as if the machine had moved to another network
    assert certificate(tmp_path).returncode == 0 and key.read_bytes() != first


def test_without_openssl_it_says_what_to_install(tmp_path):
    done = certificate(tmp_path / "https", PATH=str(tmp_path))
    assert done.returncode == 1 and "install it" in done.stderr and len(done.stderr.splitlines()) == 1
    assert not (tmp_path / "https").exists()
