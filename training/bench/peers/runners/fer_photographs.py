"""Reads photographs with PyPI's `fer` and its default settings: ``fer_photographs.py LIST``, a JSON list of paths.

It stands by itself, since that package's environment holds nothing of this project. Exit code 3: it is not installed.
"""

import json
import sys
import time
from pathlib import Path


def main() -> int:
    """Prints each photograph's answer for its largest face, and the processor seconds of all, as JSON."""
    try:
        from fer.fer import FER
    except ImportError:
        return 3
    import cv2

    cv2.setNumThreads(1)
    detector = FER()
    paths = json.loads(Path(sys.argv[1]).read_text())
    detector.detect_emotions(cv2.imread(paths[0]))  # what is only opened once
    answers, seconds = [], []
    for path in paths:
        begun = time.process_time()
        try:
            faces = detector.detect_emotions(cv2.imread(path))
        except Exception:  # it stumbles over some pictures; its user gets no answer
            faces = []
        seconds.append(time.process_time() - begun)
        largest = max(faces, key=lambda face: int(face["box"][2]) * int(face["box"][3]), default=None)
        answers.append(max(largest["emotions"], key=largest["emotions"].get) if largest else None)
    print(json.dumps({"answers": answers, "seconds": seconds}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
