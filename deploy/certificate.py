"""Makes a certificate for ``make app HTTPS=1`` and says at which addresses the app can be opened.

    python deploy/certificate.py FOLDER PORT

FOLDER then holds ``certificate.pem`` and ``key.pem``, for localhost, this machine's name and its addresses. They are
kept as long as they are valid and the addresses stay the same, so that a phone has to be asked only once.
"""

import ipaddress
import shutil
import socket
import subprocess
import sys
from pathlib import Path

DAYS = 397
"""How long a certificate is valid; Apple's browsers accept no more than 825 days."""

MIN_SECONDS = 24 * 3600
"""One that is valid for less is replaced."""

CONFIG = """[req]
distinguished_name = name
x509_extensions = extensions
prompt = no
[name]
CN = fer-demo on {host}
[extensions]
subjectAltName = {names}
basicConstraints = critical, CA:FALSE
keyUsage = critical, digitalSignature
extendedKeyUsage = serverAuth
"""


def main(folder: Path, port: int) -> int:
    """Makes the files and prints the addresses; 1 if openssl is missing or fails."""
    openssl = shutil.which("openssl")
    if not openssl:
        print(
            "HTTPS=1 needs openssl to make a certificate: install it (apt-get install openssl), or leave HTTPS out.",
            file=sys.stderr,
        )
        return 1
    host, addresses = socket.gethostname(), own_addresses()
    hosts = dict.fromkeys(["localhost", host.lower(), f"{host.lower().split('.')[0]}.local"])
    names = [f"DNS:{name}" for name in hosts] + [f"IP:{a}" for a in ["127.0.0.1", "::1", *addresses]]
    certificate, key = folder / "certificate.pem", folder / "key.pem"
    record = folder / "names.txt"
    if not (key.is_file() and record.is_file() and record.read_text() == "\n".join(names) and lasts(certificate)):
        folder.mkdir(parents=True, exist_ok=True)
        config = folder / "openssl.cnf"
        config.write_text(CONFIG.format(host=host[:40], names=", ".join(names)))
        key.unlink(missing_ok=True)
        key.touch(mode=0o600)  # openssl writes into the file that is there
        command = ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
        command += ["-days", str(DAYS), "-config", config, "-keyout", key, "-out", certificate]
        done = subprocess.run([openssl, *command], capture_output=True, text=True)
        if done.returncode:
            print(f"openssl could not make a certificate: {done.stderr.strip()[-300:]}", file=sys.stderr)
            return 1
        record.write_text("\n".join(names))
    print("Open one of these; a phone has to be in the same network:")
    for name in ["localhost", *addresses]:
        print(f"  https://{name}:{port}")
    print("The browser warns once, because nobody but this machine vouches for the certificate: choose to go on.")
    print("Everybody in this network can reach the app now.", flush=True)
    return 0


def lasts(certificate: Path) -> bool:
    """Whether a certificate is there and stays valid for a while."""
    command = [shutil.which("openssl"), "x509", "-in", certificate, "-noout", "-checkend", str(MIN_SECONDS)]
    return certificate.is_file() and subprocess.run(command, capture_output=True).returncode == 0


def own_addresses() -> list[str]:
    """The IPv4 addresses of this machine in its networks, the one that it would send from first; nothing is sent."""
    found = []
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))  # reserved for examples
            found.append(probe.getsockname()[0])
        except OSError:  # no network
            pass
    if hostname := shutil.which("hostname"):
        found += subprocess.run([hostname, "-I"], capture_output=True, text=True).stdout.split()  # Linux's alone has it
    return [text for text in dict.fromkeys(found) if reachable(text)]


def reachable(text: str) -> bool:
    """Whether others may come by this address."""
    try:
        address = ipaddress.IPv4Address(text)  # the app listens on 0.0.0.0
    except ValueError:
        return False
    return not (address.is_loopback or address.is_link_local or address.is_unspecified)


if __name__ == "__main__":
    if len(sys.argv) != 3 or not sys.argv[2].isdigit():
        sys.exit("usage: python deploy/certificate.py FOLDER PORT")
    sys.exit(main(Path(sys.argv[1]), int(sys.argv[2])))
