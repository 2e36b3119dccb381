"""Very many pictures on several machines, by Ray Data: one actor for each core, each with a process that reads."""

import contextlib
import importlib
import itertools
import json
import logging
import os
import socket
import threading
from collections.abc import Iterable, Iterator
from dataclasses import asdict
from typing import Any

from fer_demo._no_telemetry import switch_off
from fer_demo.batch.answer import Answer, Settings
from fer_demo.batch.items import Item
from fer_demo.batch.workers import Pool, cores
from fer_demo.runtime.model_info import ModelError
from fer_demo.vision.sources import one_line

__all__ = ["LOCAL", "Reader", "answers"]

LOCAL = "local"
"""The address that stands for a cluster of this machine alone, which ends with the run."""

BLOCK = 64
"""Pictures that an actor gets at a time; so many are read again where its machine goes."""

CONNECT_SECONDS = 10

SLAB = 1024 * BLOCK
"""Pictures that are listed at a time, so that the driver does not hold the names of all."""


class Reader:
    """The stateful function that Ray maps over blocks: a pool of one process, as it works on one machine.

    Args:
        settings: Of `Settings`, as a dictionary.
    """

    def __init__(self, settings: dict[str, Any]) -> None:
        self._pool = Pool(Settings(**settings), 1)
        self._one = threading.Lock()  # Ray lets an actor begin a block before the one before it is done

    def __call__(self, block: dict[str, Any]) -> dict[str, list[Any]]:
        """Reads a block.

        Args:
            block: ``number``, and ``item`` as JSON.

        Returns:
            ``number``, and ``answer``, `Answer.data` as JSON; of a model that cannot be used, the number -1 and its
            sentence.
        """
        items = [Item.from_dict(json.loads(text)) for text in block["item"]]
        try:
            with self._one:
                found = [json.dumps(answer.data) for answer in self._pool.answers(items)]
        except ModelError as error:
            self._pool.close()
            return {"number": [-1], "answer": [str(error)]}
        return {"number": [int(number) for number in block["number"]], "answer": found}


def answers(
    items: Iterable[Item], settings: Settings, address: str = LOCAL, workers: int | None = None
) -> Iterator[Answer]:
    """Reads pictures on a cluster, whose machines see the same files under the same paths.

    A block whose actor or machine goes is read again elsewhere; a picture that a reading process dies of costs that
    process alone, as in `Pool`. Of a block that fails in another way the pictures are read one by one, and those that
    fail again are errors.

    Args:
        items: The pictures. Those that have bytes and no place, as in packed TAR archives, are errors here.
        settings: How they are read.
        address: `LOCAL`; ``"auto"`` for the cluster that this machine belongs to; or ``"HOST:PORT"`` of its head, or
            ``"ray://HOST:PORT"``.
        workers: How many actors; None for one on each core of the cluster.

    Yields:
        One answer for each picture, as they come.

    Raises:
        ModelError: If Ray is not installed, no cluster is at the address, or the model cannot be used.
    """
    ray, own = _connected(address, workers)
    try:
        size = workers or max(1, int(ray.cluster_resources().get("CPU", 1)))
        remaining = iter(items)
        while slab := list(itertools.islice(remaining, SLAB)):
            yield from _slab(ray, slab, settings, size)
    finally:
        if own:
            ray.shutdown()


def _connected(address: str, workers: int | None) -> tuple[Any, bool]:
    """Ray, and whether it was connected here."""
    switch_off()  # Ray reads its switch when it is imported
    os.environ.setdefault("RAY_BACKEND_LOG_LEVEL", "fatal")  # what goes wrong is told here
    if address == LOCAL:  # as it is elsewhere than on Linux; on the machine's own address others could reach it
        os.environ.setdefault("RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER", "0")
    try:
        import ray
        import ray.data
    except ImportError:
        raise ModelError("Reading on a cluster needs Ray; run `pip install 'fer-demo[ray]'`.") from None
    place: dict[str, Any] = {"address": address}
    if address == LOCAL:
        place |= {"num_cpus": workers or cores(), "include_dashboard": False}
    own = not ray.is_initialized()
    try:
        if own:
            _knock(address)
            with _without_reporter():
                ray.init(**place, log_to_driver=False, logging_level=logging.ERROR)
    except (ConnectionError, OSError, ValueError, RuntimeError) as error:
        raise ModelError(
            f"There is no Ray cluster at {one_line(address)} ({one_line(str(error))}); start one with `ray start "
            "--head`, or leave the address out for one on this machine alone."
        ) from None
    logging.getLogger("ray.data").setLevel(logging.ERROR)
    context = ray.data.DataContext.get_current()
    context.enable_progress_bars = False
    context.max_errored_blocks = -1  # their pictures are read again here
    return ray, own


@contextlib.contextmanager
def _without_reporter() -> Iterator[None]:
    """Lets a cluster that is started here do without the process that reports what it is used for.

    Even switched off, that asks the cloud's metadata service, and the name server for Google's, where it runs.
    """
    services: Any = importlib.import_module("ray._private.services")
    plain = services.start_api_server
    services.start_api_server = lambda *_, **__: ("", None)
    try:
        yield
    finally:
        services.start_api_server = plain


def _knock(address: str) -> None:
    """Asks whether anybody is at an address: where nobody is, Ray ends the process without a word to it.

    Raises:
        OSError: If nobody is.
        ValueError: If it is no address.
    """
    if address in (LOCAL, "auto"):
        return
    host, colon, port = address.removeprefix("ray://").rpartition(":")
    if not colon or not port.isdecimal():
        raise ValueError("an address is HOST:PORT, ray://HOST:PORT or auto")
    socket.create_connection((host.strip("[]"), int(port)), CONNECT_SECONDS).close()


def _slab(ray: Any, slab: list[Item], settings: Settings, size: int) -> Iterator[Answer]:
    left: dict[int, Item] = {}
    for number, item in enumerate(slab):
        if problem := item.problem or _no_place(item):
            yield Answer(item, {"error": problem})
        else:
            left[number] = item
    for block in (BLOCK, 1):
        for number, data in _read(ray, dict(left), settings, size, block):
            if number in left:
                yield Answer(left.pop(number), data)
    for item in left.values():
        sentence = f"{one_line(item.name)} ends the machine or the process that reads it; read it alone to see why."
        yield Answer(item, {"error": sentence})


def _no_place(item: Item) -> str | None:
    if item.data is None:
        return None
    return (
        f"{one_line(item.name)} is in a packed archive, which several machines cannot read at once; unpack it, or make "
        "a plain TAR or a ZIP of it."
    )


def _read(
    ray: Any, items: dict[int, Item], settings: Settings, size: int, block: int
) -> Iterator[tuple[int, dict[str, Any]]]:
    if not items:
        return
    listed = [{"number": number, "item": json.dumps(item.to_dict())} for number, item in items.items()]
    data = ray.data.from_items(listed, override_num_blocks=-(-len(listed) // block)).map_batches(
        Reader,
        fn_constructor_args=[asdict(settings)],
        batch_size=block,
        compute=ray.data.ActorPoolStrategy(size=min(size, -(-len(listed) // block))),
        num_cpus=1,
        runtime_env={"env_vars": {"RAY_USAGE_STATS_ENABLED": "0", "OMP_NUM_THREADS": "1"}},
    )
    for row in data.iter_rows():
        if row["number"] < 0:
            raise ModelError(row["answer"])
        yield int(row["number"]), json.loads(row["answer"])
