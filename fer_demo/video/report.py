"""One HTML file about a video that opens without a connection: a timeline of each person, and the frames behind it."""

import base64
import html
import io
import json
from dataclasses import dataclass
from typing import Any, BinaryIO
from urllib.parse import quote

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from fer_demo.emotions import COLORS, DISCLAIMER, LABELS
from fer_demo.video.answers import FrameAnswer
from fer_demo.video.extra import VideoError
from fer_demo.video.summary import UNREADABLE, clock, in_words, state_of

POINTS = 1_000
"""Most points of a person's timeline; when there are more, neighbours are averaged."""

MOMENTS = 200
"""Most frames that are shown; when there are more, every second one goes."""

PERSONS = 40
"""Of more persons, those who were seen for longest have a timeline."""

_FRAME_SIDE, _CROP_SIDE = 320, 96

_STYLE = """
body{font:16px/1.5 system-ui,sans-serif;max-width:64rem;margin:2rem auto;padding:0 1rem;color:#23242f;background:#fff}
video,#frame{max-width:100%;max-height:22rem;border-radius:8px;background:#eee}.note{color:#5b5d6b}
.row{display:flex;flex-wrap:wrap;gap:1rem;align-items:flex-start}.crop{width:96px;image-rendering:pixelated}
figure{margin:0}figcaption{font-size:.85rem}h2{margin:1.2rem 0 0}.plot{height:180px}
"""

_SCRIPT = """
const data=JSON.parse(document.getElementById('data').textContent),video=document.querySelector('video');
function show(t,seek){
  let best=0;data.moments.forEach((m,i)=>{if(Math.abs(m.t-t)<Math.abs(data.moments[best].t-t))best=i});
  const m=data.moments[best];if(!m)return;
  document.getElementById('frame').src='data:image/jpeg;base64,'+m.frame;
  document.getElementById('when').textContent=m.clock;
  const crops=document.getElementById('crops');crops.replaceChildren();
  for(const f of m.faces){
    const figure=document.createElement('figure'),caption=document.createElement('figcaption');
    if(f.crop){const image=document.createElement('img');image.className='crop';
      image.alt='Person '+f.person;image.src='data:image/jpeg;base64,'+f.crop;figure.append(image)}
    caption.textContent='Person '+f.person+' '+f.says;figure.append(caption);crops.append(figure)}
  if(video&&seek)video.currentTime=Math.max(0,t-data.start);
}
for(const p of data.persons){
  const at='p'+p.person,traces=data.labels.map((name,i)=>({x:p.t,y:p.values[i],name,stackgroup:'one',mode:'lines',
    line:{width:0.5,color:data.colors[i]},hovertemplate:'%{y:.0%} '+name+'<extra></extra>',connectgaps:false}));
  Plotly.newPlot(at,traces,{height:180,margin:{l:40,r:8,t:8,b:32},hovermode:'x unified',
    yaxis:{range:[0,1],tickformat:'.0%',fixedrange:true},xaxis:{range:[data.start,data.end],title:{text:'seconds'}},
    legend:{orientation:'h',y:-0.3}},{displaylogo:false,responsive:true});
  document.getElementById(at).on('plotly_click',e=>show(e.points[0].x,true));
}
show(data.start,false);
"""

# Nothing may be fetched, whatever stands in Plotly's code; a video lies beside the file.
_POLICY = (
    "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; img-src data: blob:; "
    "media-src 'self' file:"
)


@dataclass
class _Line:
    """A person's probabilities, averaged over bins of time."""

    seconds: float
    times: list[float]
    sums: list[NDArray[np.float64]]
    counts: list[int]
    frames: int = 0


class Report:
    """Writes the report when all is done; what it keeps does not grow with the video's length.

    Args:
        file: The open binary file.
        title: The video's name.
        model: The checkpoint's name.
        video: The annotated video, as a path from the report's folder; None for none.

    Raises:
        VideoError: If Plotly is not installed.
    """

    def __init__(self, file: BinaryIO, title: str, model: str, video: str | None = None) -> None:
        try:
            from plotly.offline import get_plotlyjs
        except ModuleNotFoundError:
            raise VideoError("The report needs Plotly; run `pip install 'fer-demo[video]'`.") from None
        self._plotly = get_plotlyjs
        self._file, self._title, self._model, self._video = file, title, model, video
        self._lines: dict[int, _Line] = {}
        self._moments: list[dict[str, Any]] = []
        self._between, self._due = 0.5, -1.0

    def add(self, answer: FrameAnswer) -> None:
        """Takes the answer for one frame."""
        for face in answer.faces:
            if face.readable:
                self._add_point(face.person, answer.time, np.array([face.probabilities[label] for label in LABELS]))
        if answer.time >= self._due and answer.pixels is not None:
            self._add_moment(answer, answer.pixels)

    def _add_point(self, person: int, time: float, values: NDArray[np.float64]) -> None:
        line = self._lines.setdefault(person, _Line(0.1, [], [], []))
        line.frames += 1
        if line.times and time - line.times[-1] < line.seconds:
            line.sums[-1] = line.sums[-1] + values
            line.counts[-1] += 1
            return
        line.times.append(time)
        line.sums.append(values)
        line.counts.append(1)
        if len(line.times) > POINTS:
            pairs = range(0, len(line.times), 2)
            line.times = line.times[::2]
            line.sums = [sum(line.sums[i : i + 2], np.zeros(len(LABELS))) for i in pairs]
            line.counts = [sum(line.counts[i : i + 2]) for i in pairs]
            line.seconds *= 2
        if len(self._lines) > 4 * PERSONS:  # those who were there for shortest make room
            shortest = min((k for k in self._lines if k != person), key=lambda k: self._lines[k].frames)
            del self._lines[shortest]

    def _add_moment(self, answer: FrameAnswer, pixels: NDArray[np.uint8]) -> None:
        faces = []
        for face in answer.faces[:20]:
            says = face.sentence if state_of(face) != UNREADABLE else face.prediction.full_sentence
            crop = None if face.crop is None else _jpeg(face.crop, _CROP_SIDE)
            faces.append({"person": face.person, "says": says, "crop": crop})
        moment = {"t": round(answer.time, 3), "clock": clock(answer.time), "faces": faces}
        self._moments.append(moment | {"frame": _jpeg(pixels, _FRAME_SIDE)})
        if len(self._moments) > MOMENTS:
            self._moments = self._moments[::2]
            self._between *= 2
        self._due = answer.time + self._between

    def finish(self, summary: dict[str, Any]) -> None:
        """Writes the file."""
        longest = sorted(self._lines, key=lambda k: -self._lines[k].frames)[:PERSONS]
        persons = [self._person(number) for number in sorted(longest)]
        data = {
            "persons": persons,
            "moments": self._moments,
            "labels": LABELS,
            "colors": [COLORS[label] for label in LABELS],
            "start": summary["start"],
            "end": summary["end"],
        }
        said = dict(zip((p["person"] for p in summary["persons"]), in_words(summary), strict=True))
        plots = "".join(
            f'<h2>Person {n}</h2><p class="note">{html.escape(said.get(n, ""))}</p><div class="plot" id="p{n}"></div>'
            for n in sorted(longest)
        )
        address = html.escape(quote(self._video)) if self._video else ""
        video = f'<video controls preload="metadata" src="{address}"></video>' if address else ""
        # "<" cannot end the script element, whatever stands in a name.
        content = json.dumps(data).replace("<", "\\u003c")
        page = (
            f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{html.escape(self._title)}</title>'
            f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">'
            f'<meta name="viewport" content="width=device-width, initial-scale=1"><style>{_STYLE}</style>'
            f"<script>{self._plotly()}</script></head><body><h1>{html.escape(self._title)}</h1>"
            f'<p class="note">{html.escape(DISCLAIMER)} Model: {html.escape(self._model)}.</p>'
            f'<div class="row">{video}<figure><img id="frame" alt="The frame at the chosen moment">'
            f'<figcaption id="when"></figcaption></figure><div class="row" id="crops"></div></div>'
            f'<p class="note">Click a timeline to see the frame and the faces of that moment.</p>{plots}'
            f'<script type="application/json" id="data">{content}</script><script>{_SCRIPT}</script>'
            "</body></html>\n"
        )
        self._file.write(page.encode())

    def _person(self, number: int) -> dict[str, Any]:
        line = self._lines[number]
        times: list[float | None] = []
        rows: list[list[float | None]] = []
        for i, (time, total, count) in enumerate(zip(line.times, line.sums, line.counts, strict=True)):
            if i and time - line.times[i - 1] > max(0.5, 3 * line.seconds):  # a gap where nobody was
                times.append(round(line.times[i - 1] + line.seconds, 2))
                rows.append([None] * len(LABELS))
            times.append(round(time, 2))
            rows.append([round(float(v), 3) for v in total / count])
        return {"person": number, "t": times, "values": [list(column) for column in zip(*rows, strict=True)]}


def _jpeg(picture: NDArray[np.uint8], side: int) -> str:
    image = Image.fromarray(picture)
    image.thumbnail((side, side))
    file = io.BytesIO()
    image.save(file, "JPEG", quality=70)
    return base64.b64encode(file.getvalue()).decode()
