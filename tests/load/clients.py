"""Many programs ask the API at once, each for its own photo."""

import argparse
import io
import itertools
import os
import random
import tempfile
import threading
import time
from pathlib import Path

import httpx
import numpy as np
from PIL import Image

from tests.load.serving import Server, serve


def photo(size: tuple[int, int] = (512, 512), mark: int = 0, quality: int = 90) -> bytes:
    """A JPEG file with one face, made from the photo that scikit-image brings.

    Args:
        size: Width and height in pixels.
        mark: Makes the file another one: a few pixels in a corner.
        quality: Of the JPEG file.
    """
    from skimage.data import astronaut

    pixels = np.array(Image.fromarray(astronaut()).resize(size))
    pixels[:8, :8] = np.random.default_rng(mark).integers(0, 256, (8, 8, 3), np.uint8)
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "JPEG", quality=quality)
    return file.getvalue()


class Outcome:
    """What came of a number of requests; thread-safe as far as it is used here.

    Attributes:
        seconds: That each took.
        errors: Those that failed, a line each.
        crossed: Answers that were somebody else's.
        statuses: How often which status came.
    """

    def __init__(self) -> None:
        self.seconds: list[float] = []
        self.errors: list[str] = []
        self.crossed = 0
        self.statuses: dict[int, int] = {}

    def percentile(self, share: float) -> float:
        """The time within which so many of the requests were answered, in seconds."""
        return float(np.percentile(self.seconds, share)) if self.seconds else float("nan")


def ask(client: httpx.Client, url: str, width: int, name: str, outcome: Outcome, data: bytes | None = None) -> None:
    """Sends one marked photo and looks whether the answer is its own."""
    data = data or photo((width, 512), mark=hash(name) % 2**32)
    start = time.perf_counter()
    try:
        answer = client.post(f"{url}/api/predict", files={"file": (name, data)}, timeout=300)
        outcome.seconds.append(time.perf_counter() - start)
        outcome.statuses[answer.status_code] = outcome.statuses.get(answer.status_code, 0) + 1
        if answer.status_code != 200:
            outcome.errors.append(f"{answer.status_code}: {answer.text[:120]}")
        elif (answer.json()["file"], answer.json()["width"]) != (name, width):
            outcome.crossed += 1
    except httpx.HTTPError as error:
        outcome.errors.append(repr(error)[:120])


def run_clients(server: Server, clients: int, requests: int, seed: int = 0) -> tuple[Outcome, list[float], float]:
    """Lets programs ask until so many requests are answered.

    Returns:
        What came of them, the server's memory in MB after each tenth of them, and the seconds it took.
    """
    outcome, numbers, memory = Outcome(), itertools.count(), []
    files = [photo((512 - k, 512), mark=k) for k in range(32)]
    lock = threading.Lock()

    def work(which: int) -> None:
        rng = random.Random(seed + which)
        with httpx.Client() as client:
            while (number := next(numbers)) < requests:
                k = rng.randrange(32)
                ask(client, server.url, 512 - k, f"{which}-{number}.jpg", outcome, files[k])
                if number % max(1, requests // 10) == 0:
                    with lock:
                        memory.append(server.megabytes())

    start = time.perf_counter()
    threads = [threading.Thread(target=work, args=(which,)) for which in range(clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return outcome, memory, time.perf_counter() - start


def run(args: argparse.Namespace) -> int:
    """Prints one row of a Markdown table; 1 if a request failed or an answer was somebody else's."""
    with tempfile.TemporaryDirectory() as folder, serve(Path(folder)) as server:
        run_clients(server, 2, 20)  # loads what is loaded once
        before = server.megabytes()
        outcome, memory, seconds = run_clients(server, args.clients, args.requests)
        left = server.files()
    half = memory[len(memory) // 2 :] or [before]
    print(
        f"| {args.clients} API clients, {args.requests} requests of 512 px | {len(outcome.errors)} errors, "
        f"{outcome.crossed} crossed, {args.requests / seconds:.1f} requests/s (load before {os.getloadavg()[2]:.1f}), "
        f"median {outcome.percentile(50):.1f} s, p95 {outcome.percentile(95):.1f} s; memory {before:.0f} MB before, "
        f"{min(half):.0f} to {max(half):.0f} MB in the second half; files left {len(left)} |"
    )
    for line in sorted(set(outcome.errors))[:5]:
        print(f"  {line}")
    return int(bool(outcome.errors or outcome.crossed or left))


def add_parser(subparsers) -> None:
    """Adds the command."""
    parser = subparsers.add_parser("clients", help="many programs ask the API at once")
    parser.add_argument("--clients", type=int, default=50)
    parser.add_argument("--requests", type=int, default=1000)
    parser.set_defaults(run=run)
