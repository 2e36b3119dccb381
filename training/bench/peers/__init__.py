"""This project's checkpoints side by side with other packages that read expressions, on the same faces and core.

Each package is installed in an environment of its own, and prepares the faces as its own source does. Nothing is
installed before `run_peers` is called.
"""

from training.bench.peers.measure import each_system, run_peers
from training.bench.peers.registry import PEERS, Peer
from training.bench.peers.results import PeerError, PeerResult, table

__all__ = ["PEERS", "Peer", "PeerError", "PeerResult", "each_system", "run_peers", "table"]
