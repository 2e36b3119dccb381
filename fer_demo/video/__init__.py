"""Videos: read them, find and follow the faces, tell what expressions they show, and write that down.

One road: `reading` gives frames, `tracking` gives faces that keep their person, `analysis` gives answers, and `outputs`
hands these to what writes them. Needs the extra ``video``.
"""

from fer_demo.video.analysis import analyse
from fer_demo.video.answers import FrameAnswer, VideoFace
from fer_demo.video.extra import VideoError
from fer_demo.video.outputs import Run, Targets
from fer_demo.video.settings import Settings

__all__ = ["FrameAnswer", "Run", "Settings", "Targets", "VideoError", "VideoFace", "analyse"]
