"""deploy/nginx.conf on ports and with a certificate of its own."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
CONFIG = (ROOT / "deploy" / "nginx.conf").read_text(encoding="utf-8")
NGINX = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin:/usr/local/sbin")

MAIN = """daemon off; master_process off; worker_processes 1; pid {0}/pid; error_log {0}/main.log warn;
events {{ worker_connections 256; }}
http {{
    client_body_temp_path {0}/body; proxy_temp_path {0}/proxy; fastcgi_temp_path {0}/f; uwsgi_temp_path {0}/u;
    scgi_temp_path {0}/s; access_log {0}/other.log;
    include {0}/fer-demo.conf;
}}
"""


def prepared(folder: Path, text: str, ports: dict[str, int]) -> list[str]:
    """Writes a configuration that runs here: with other ports, a certificate and folders; nginx with its arguments."""
    command = [sys.executable, str(ROOT / "deploy" / "certificate.py"), str(folder), "443"]
    subprocess.run(command, check=True, capture_output=True)
    text = re.sub(r"/etc/letsencrypt\S+fullchain\.pem", f"{folder}/certificate.pem", text)
    text = re.sub(r"/etc/letsencrypt\S+privkey\.pem", f"{folder}/key.pem", text)
    text = text.replace("/var/log/nginx/", f"{folder}/")
    text = re.sub(r"^ *listen \[::\].*\n", "", text, flags=re.MULTILINE)
    for old, new in ports.items():
        text = re.sub(rf"(listen |127\.0\.0\.1:){old}\b", rf"\g<1>{new}", text)
    (folder / "fer-demo.conf").write_text(text)
    (folder / "nginx.conf").write_text(MAIN.format(folder))
    return [NGINX, "-p", str(folder), "-c", str(folder / "nginx.conf"), "-e", str(folder / "start.log")]


def on_a_host_of_its_own() -> str:
    start = CONFIG.index("    location = /fer {")
    end = CONFIG.index("    # On a host of its own")
    return re.sub(
        r"^    # (location / \{|    proxy_pass .*|\})$", r"\1", CONFIG[:start] + CONFIG[end:], flags=re.MULTILINE
    )
