"""One HTML file about a video that opens without a connection: a timeline of each person, and the frames behind it."""

import base64
import html
import json
from collections.abc import Sequence
from typing import Any, BinaryIO
from urllib.parse import quote

from fer_demo.classes import class_set
from fer_demo.emotions import DISCLAIMER, LABELS
from fer_demo.video.answers import FrameAnswer
from fer_demo.video.extra import VideoError
from fer_demo.video.summary import clock, in_words
from fer_demo.video.timeline import Timeline

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


class Report:
    """Writes the report when all is done; what it keeps does not grow with the video's length.

    Args:
        file: The open binary file.
        title: The video's name.
        model: The checkpoint's name.
        video: The annotated video, as a path from the report's folder; None for none.
        timeline: Where another one collects what is shown; None collects it here.
        labels: The classes of the model, where it is collected here.

    Raises:
        VideoError: If Plotly is not installed.
    """

    def __init__(
        self,
        file: BinaryIO,
        title: str,
        model: str,
        video: str | None = None,
        timeline: Timeline | None = None,
        labels: Sequence[str] = LABELS,
    ) -> None:
        try:
            from plotly.offline import get_plotlyjs
        except ModuleNotFoundError:
            raise VideoError("The report needs Plotly; run `pip install 'fer-demo[video]'`.") from None
        self._plotly = get_plotlyjs
        self._file, self._title, self._model, self._video = file, title, model, video
        self._timeline = timeline or Timeline(labels=labels)
        self._theirs = timeline is not None

    def add(self, answer: FrameAnswer) -> None:
        """Takes the answer for one frame."""
        if not self._theirs:
            self._timeline.add(answer)

    def finish(self, summary: dict[str, Any]) -> None:
        """Writes the file."""
        persons = self._timeline.persons()
        moments = [
            {
                "t": one.time,
                "clock": clock(one.time),
                "faces": [{"person": f.person, "says": f.says, "crop": f.crop and _text(f.crop)} for f in one.faces],
                "frame": _text(one.frame),
            }
            for one in self._timeline.moments
        ]
        data = {
            "persons": persons,
            "moments": moments,
            "labels": self._timeline.labels,
            "colors": list(class_set(self._timeline.labels).colors.values()),
            "start": summary["start"],
            "end": summary["end"],
        }
        said = dict(zip((p["person"] for p in summary["persons"]), in_words(summary), strict=True))
        plots = "".join(
            f'<h2>Person {n}</h2><p class="note">{html.escape(said.get(n, ""))}</p><div class="plot" id="p{n}"></div>'
            for n in (one["person"] for one in persons)
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


def _text(jpeg: bytes) -> str:
    return base64.b64encode(jpeg).decode()
