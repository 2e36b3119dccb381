"""Times the video class of PyPI's `fer` with its default settings: ``fer_video.py CLIP FOLDER``.

It stands by itself, since that package's environment holds nothing of this project. Exit code 3: it is not installed.
"""

import json
import sys
import time


def main() -> int:
    """Prints frames a second of processor time as JSON."""
    try:
        from fer.classes import Video
        from fer.fer import FER
    except ImportError:
        return 3
    import cv2

    cv2.setNumThreads(1)
    # It closes windows that it never opened, which OpenCV without windows refuses.
    cv2.destroyAllWindows = cv2.waitKey = lambda *_: -1
    detector = FER()
    video = Video(sys.argv[1], outdir=sys.argv[2])
    begun = time.process_time()
    rows = video.analyze(detector, display=False, save_frames=False, save_video=False, annotate_frames=False)
    spent = time.process_time() - begun
    print(json.dumps({"frames_per_second": len(rows) / spent}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
