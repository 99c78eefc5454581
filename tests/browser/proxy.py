"""nginx as it is shipped, in front of apps that run here."""

import contextlib
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from server import ROOT

CONFIG = ROOT / "deploy" / "nginx.conf"
PREFIX = "/playground"
SERVER = """
daemon off; master_process off; pid nginx.pid; error_log stderr; events {{}}
http {{
  access_log off; client_body_temp_path body; proxy_temp_path proxy; fastcgi_temp_path fastcgi; uwsgi_temp_path uwsgi;
  scgi_temp_path scgi;
  {site}
}}
"""


@contextlib.contextmanager
def nginx(folder: Path, *apps: str) -> Iterator[str]:
    """Run nginx with the shipped configuration, but for its port, before apps at these addresses; yield the address of
    the page. It writes only into the folder."""
    if not shutil.which("nginx"):
        pytest.skip("nginx is not installed")
    with socket.create_server(("127.0.0.1", 0)) as server:
        host = f"127.0.0.1:{server.getsockname()[1]}"
    site = CONFIG.read_text()
    servers = "; server ".join(httpx.URL(address).netloc.decode() for address in apps)
    for words, here in (("server app:7860;", f"server {servers};"), ("listen 8080;", f"listen {host};")):
        assert words in site
        site = site.replace(words, here)
    (folder / "nginx.conf").write_text(SERVER.format(site=site))
    with subprocess.Popen(["nginx", "-p", str(folder), "-c", "nginx.conf"]) as process:
        try:
            deadline = time.monotonic() + 60
            while not _answers(host):
                assert process.poll() is None, "nginx ended"
                assert time.monotonic() < deadline, "nginx does not answer"
                time.sleep(0.1)
            yield f"http://{host}{PREFIX}/"
        finally:
            process.terminate()


def _answers(host: str) -> bool:
    with contextlib.suppress(httpx.TransportError):
        return httpx.get(f"http://{host}/").has_redirect_location
    return False
