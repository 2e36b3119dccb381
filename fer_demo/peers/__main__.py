"""``python -m fer_demo.peers --data DATA``: the comparison by itself."""

import argparse
import sys

from fer_demo.peers.command import add_arguments

if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        prog="python -m fer_demo.peers",
        description="Measures the bundled checkpoints and other packages that read expressions, on the same pictures "
        "of FER2013's PrivateTest and one core. The packages are downloaded, in pinned versions, into a cache folder.",
    )
    add_arguments(parser)
    args = parser.parse_args()
    try:
        sys.exit(args.run(args))
    except KeyboardInterrupt:
        print("Stopped.", file=sys.stderr)
        sys.exit(130)
