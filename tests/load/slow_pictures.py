"""Somebody sends pictures that take long, and ordinary visitors should hardly notice."""

import argparse
import io
import tempfile
import threading
from pathlib import Path

import httpx
import numpy as np
from PIL import Image

from tests.load.clients import Outcome, ask, photo
from tests.load.serving import Server, serve


def many_scans(side: int = 600, scans: int = 3000) -> bytes:
    """A small progressive JPEG of which one scan is repeated."""
    file = io.BytesIO()
    Image.new("L", (side, side)).save(file, "JPEG", progressive=True)
    data = file.getvalue()
    last = data.rindex(b"\xff\xda")
    return data[:last] + data[last:-2] * scans + data[-2:]


def large(kind: str, side: int, **options) -> bytes:
    """A large picture of noise, in a small file or not."""
    noise = np.random.default_rng(0).integers(0, 256, (side // 50, side // 50, 3), np.uint8)
    file = io.BytesIO()
    Image.fromarray(noise).resize((side, side), Image.Resampling.NEAREST).save(file, kind, **options)
    return file.getvalue()


def slow_pictures() -> dict[str, bytes]:
    """Pictures that take long to open, or that are refused since they would."""
    return {
        "scans.jpg": many_scans(),
        "large.jpg": large("JPEG", 9900),
        "progressive.jpg": large("JPEG", 7000, progressive=True),
        "large.png": large("PNG", 9000),
        "large.webp": large("WEBP", 5000, lossless=False),
    }


def ordinary(server: Server, number: int, clients: int, address: str) -> Outcome:
    """Lets so many visitors at one address ask with ordinary photos."""
    outcome, data = Outcome(), photo()
    share = number // clients

    def work(which: int) -> None:
        with httpx.Client(headers={"X-Forwarded-For": f"{address}{which + 1}"}) as client:
            for k in range(share):
                ask(client, server.url, 512, f"{which}-{k}.jpg", outcome, data)

    threads = [threading.Thread(target=work, args=(which,)) for which in range(clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return outcome


def attack(server: Server, number: int, stop: threading.Event) -> tuple[threading.Thread, Outcome]:
    """Starts to send slow pictures, eight at a time from one address, each again and again until `stop`."""
    outcome, files = Outcome(), list(slow_pictures().items())
    left = iter(range(number))
    lock = threading.Lock()

    def work() -> None:
        with httpx.Client(headers={"X-Forwarded-For": "198.51.100.9"}) as client:
            while not stop.is_set():
                with lock:
                    k = next(left, None)
                if k is None:
                    return
                name, data = files[k % len(files)]
                ask(client, server.url, -1, name, outcome, data)

    def all_of_them() -> None:
        threads = [threading.Thread(target=work) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    thread = threading.Thread(target=all_of_them)
    thread.start()
    return thread, outcome


def run(args: argparse.Namespace) -> int:
    """Prints one row of a Markdown table; 1 if the ordinary visitors waited more than twice as long."""
    with tempfile.TemporaryDirectory() as folder, serve(Path(folder)) as server:
        ordinary(server, 20, 4, "192.0.2.")
        alone = ordinary(server, args.ordinary, 4, "192.0.2.")
        stop = threading.Event()
        thread, slow = attack(server, args.slow, stop)
        beside = ordinary(server, args.ordinary, 4, "192.0.2.")
        answered = len(slow.seconds)
        stop.set()
        thread.join()
        left = server.files()
    ratio = beside.percentile(95) / alone.percentile(95)
    print(
        f"| {args.slow} slow pictures among {args.ordinary} ordinary ones | p95 of the ordinary ones "
        f"{alone.percentile(95):.2f} s without, {beside.percentile(95):.2f} s with them ({ratio:.2f} x), "
        f"{len(beside.errors)} errors; {answered} slow ones answered meanwhile (statuses "
        f"{', '.join(f'{status}: {n}' for status, n in sorted(slow.statuses.items()))}), slowest "
        f"{max(slow.seconds, default=0):.1f} s; files left {len(left)} |"
    )
    return int(ratio > 2 or bool(beside.errors or alone.errors or left))


def add_parser(subparsers) -> None:
    """Adds the command."""
    parser = subparsers.add_parser("slow_pictures", help="slow pictures among ordinary ones")
    parser.add_argument("--slow", type=int, default=40)
    parser.add_argument("--ordinary", type=int, default=200)
    parser.set_defaults(run=run)
