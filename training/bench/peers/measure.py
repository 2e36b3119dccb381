"""Runs every system on the same faces, one after the other, each in a process of its own on one core."""

import contextlib
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Collection, Iterator, Sequence
from pathlib import Path

import numpy as np

from fer_demo.checkpoints import ONNX_FILE, bundled_checkpoints, checkpoint_dir
from fer_demo.runtime.engines import installed
from training.bench.peers.environment import default_cache, last_error
from training.bench.peers.registry import PEERS, Peer
from training.bench.peers.results import PeerError, PeerResult, score

RUNNERS = Path(__file__).parent / "runners"
SIDE = 48
MINUTES = 60
"""How long one system may take."""

ONE_THREAD = {
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "TF_NUM_INTRAOP_THREADS": "1",
    "TF_NUM_INTEROP_THREADS": "1",
    "TF_CPP_MIN_LOG_LEVEL": "3",
    "CUDA_VISIBLE_DEVICES": "",
}


def run_peers(
    images: np.ndarray,
    labels: np.ndarray,
    cache_dir: str | os.PathLike | None = None,
    progress: Callable[[str], None] = lambda message: None,
    *,
    without: Collection[str] = (),
    peers: Sequence[Peer] = PEERS,
) -> list[PeerResult]:
    """Measures this project's bundled checkpoints and the peers.

    Args:
        images: uint8 (N, 48, 48), 0 black.
        labels: int (N,), indices into `fer_demo.emotions.LABELS`.
        cache_dir: Where the peers' environments are kept; None is ``fer_demo/peers`` in the user's cache folder.
        progress: Called with one sentence for each step: what is downloaded, what is measured, what is left out and
            why.
        without: Keys of peers to leave out.
        peers: The peers.

    Returns:
        What could be measured, ours first.

    Raises:
        ValueError: If the pictures or labels have other shapes or types.
    """
    results = []
    for found in each_system(images, labels, cache_dir, progress, without=without, peers=peers):
        if isinstance(found, PeerResult):
            results.append(found)
        else:
            progress(f"Left out: {found}")
    return results


def each_system(
    images: np.ndarray,
    labels: np.ndarray,
    cache_dir: str | os.PathLike | None = None,
    progress: Callable[[str], None] = lambda message: None,
    *,
    without: Collection[str] = (),
    peers: Sequence[Peer] = PEERS,
) -> Iterator[PeerResult | PeerError]:
    """As `run_peers`, one system at a time; a system that cannot be measured yields its error."""
    images, labels = np.asarray(images), np.asarray(labels)
    if images.dtype != np.uint8 or images.shape[1:] != (SIDE, SIDE) or not len(images):
        raise ValueError(f"Faces must be uint8 ({SIDE} x {SIDE} each), but are {images.dtype} {images.shape}.")
    if labels.shape != images.shape[:1]:
        raise ValueError(f"There must be a label for each of the {len(images):,} faces, but there are {labels.size:,}.")
    cache = Path(cache_dir).expanduser() if cache_dir else default_cache()
    with tempfile.TemporaryDirectory(prefix="fer_demo_peers_") as folder:
        faces = Path(folder) / "faces.raw"
        faces.write_bytes(np.ascontiguousarray(images).tobytes())
        for checkpoint, engine in own_systems():
            progress(f"Measuring {checkpoint} with {engine}.")
            yield _attempt(lambda c=checkpoint, e=engine: measure_own(c, e, faces, labels))
        for peer in peers:
            if peer.key not in without:
                yield _attempt(lambda p=peer: _measure_peer(p, faces, labels, cache, progress))


def own_systems() -> list[tuple[str, str]]:
    """Checkpoint and engine ("torch" or "onnx") of all that can be run here."""
    systems = []
    for name in bundled_checkpoints():
        if installed("torch", "timm"):
            systems.append((name, "torch"))
        if installed("onnxruntime") and (checkpoint_dir(name) / ONNX_FILE).is_file():
            systems.append((name, "onnx"))
    return systems


def measure_own(checkpoint: str, engine: str, faces: Path, labels: np.ndarray) -> PeerResult:
    """Measures a bundled checkpoint by the same procedure as the peers.

    Args:
        checkpoint: ``<architecture>.<tag>``.
        engine: "torch" or "onnx".
        faces: File of the faces: uint8, 48x48 each, one after the other.
        labels: int (N,), the true classes.

    Raises:
        PeerError: If it fails.
    """
    name = f"`{checkpoint}`, this project"
    root = str(Path(__file__).parents[3])
    command = [sys.executable, str(RUNNERS / "ours.py"), str(faces), checkpoint, engine]
    found = run_runner(name, command, {"PYTHONPATH": os.pathsep.join([root, os.environ.get("PYTHONPATH", "")])})
    return score(name, found, labels, note="prepared as by `Predictor.classify`, single view.", ours=True)


def _measure_peer(
    peer: Peer, faces: Path, labels: np.ndarray, cache: Path, progress: Callable[[str], None]
) -> PeerResult:
    return score(peer.name, run_peer(peer, faces, cache, progress), labels, note=peer.note)


def run_peer(peer: Peer, faces: Path, cache: Path, progress: Callable[[str], None]) -> dict:
    """Lets a peer answer for faces, after installing it where that has not been done.

    Args:
        peer: The peer.
        faces: File of the faces: uint8, 48x48 each, one after the other.
        cache: Where the peers' environments are kept.
        progress: Called with one sentence for each step.

    Returns:
        The JSON object of its runner.

    Raises:
        PeerError: If it cannot be installed or fails.
    """
    if not peer.environment.ready(cache):
        progress(f"Downloading for {peer.key} into {cache / peer.environment.name}: {peer.environment.size}.")
    try:
        folder = peer.environment.build(cache)
        progress(f"Measuring {peer.name}.")
        command = peer.environment.command(folder, RUNNERS / peer.runner)
        return run_runner(peer.name, [*command, str(faces), str(folder)])
    except PeerError as error:
        raise PeerError(f"{peer.key}: {error}") from error


def run_runner(name: str, command: list[str], environment: dict[str, str] | None = None) -> dict:
    """Runs a runner on one core and reads the JSON object that it prints last.

    Args:
        name: Named in errors.
        command: Program and arguments.
        environment: Variables beside those of this process, in which ``PYTHONPATH`` is not handed on.

    Raises:
        PeerError: If it cannot be started, fails, takes too long, or prints something else.
    """
    variables = {k: v for k, v in os.environ.items() if k not in ("PYTHONPATH", "PYTHONHOME")} | ONE_THREAD
    try:
        with _one_core():
            done = subprocess.run(
                command,
                env=variables | (environment or {}),
                capture_output=True,
                text=True,
                errors="replace",
                timeout=60 * MINUTES,
            )
    except subprocess.TimeoutExpired as error:
        raise PeerError(f"{name} took more than {MINUTES} minutes.") from error
    except OSError as error:
        raise PeerError(f"{name} could not be started ({error.strerror or error}).") from error
    if done.returncode:
        raise PeerError(f"{name} failed: {last_error(done.stderr)}.")
    lines = done.stdout.strip().splitlines()
    try:
        found = json.loads(lines[-1])
    except (IndexError, ValueError) as error:
        raise PeerError(f"{name} printed no result.") from error
    if not isinstance(found, dict):
        raise PeerError(f"{name} printed no result.")
    return found


def _attempt(measure: Callable[[], PeerResult]) -> PeerResult | PeerError:
    try:
        return measure()
    except PeerError as error:
        return error


@contextlib.contextmanager
def _one_core() -> Iterator[None]:
    """Binds this thread to one core, where the system can, so that the processes it starts are bound to it."""
    if not hasattr(os, "sched_setaffinity"):
        yield
        return
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {max(before)})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)
