"""Pictures of explanations as HTML: one element a group, so that they wrap on a phone and arrive together."""

import base64
import html
import io
from collections.abc import Iterable

import numpy as np
from PIL import Image

from fer_demo.wording import percent

_STYLE = """
<style>
.fer-look{margin:0;width:100%;max-width:34rem}
.fer-look .pictures{position:relative;line-height:0;border-radius:8px;overflow:hidden}
.fer-look img{width:100%;height:auto;display:block}
.fer-look img+img{position:absolute;inset:0;clip-path:inset(0 calc(100% - var(--cut,100%)) 0 0)}
.fer-look label{display:grid;grid-template-columns:auto 1fr auto;gap:.75rem;align-items:center;margin-top:.5rem}
.fer-look input{width:100%;accent-color:currentColor;cursor:ew-resize;min-height:1.75rem}
.fer-grid{display:grid;grid-template-columns:repeat(auto-fill,minmax(6rem,1fr));gap:1rem .75rem}
.fer-grid figure{margin:0}.fer-grid img{width:100%;height:auto;border-radius:8px;display:block}
.fer-grid figcaption{font-size:.875rem;margin-top:.25rem}
.fer-table{border-collapse:collapse;width:100%;max-width:34rem;font-size:.95rem}
.fer-table caption{text-align:left;font-size:.875rem;padding-bottom:.5rem}
.fer-table th{font-weight:600;text-align:left}.fer-table th,.fer-table td{padding:.25rem .5rem .25rem 0;border:0}
.fer-table td:last-child,.fer-table th:last-child{text-align:right;padding-right:0}
.fer-table .bar{display:inline-block;height:.7em;border-radius:2px;margin-right:.5em;
 background:currentColor;opacity:.55}
</style>
"""

# A slider of the browser's own: arrow keys move it, and nothing moves by itself. Streamlit takes handlers out of HTML.
_MOVE = """
<script>
for (const slider of document.querySelectorAll(".fer-look input")) {
  slider.oninput = () => slider.closest("figure").style.setProperty("--cut", slider.value + "%");
}
</script>
"""


def comparison(photo: np.ndarray, photo_alt: str, mapped: np.ndarray | None = None, map_alt: str = "") -> str:
    """A photo, and the same under a map, with a slider that draws the map over the photo.

    Args:
        photo: uint8 (H, W, 3).
        photo_alt: What it shows.
        mapped: uint8 (H, W, 3); None while it is being computed, with the slider's place kept free.
        map_alt: What it shows.

    Returns:
        HTML for ``st.html(…, unsafe_allow_javascript=True)``.
    """
    pictures = _image(photo, photo_alt)
    if mapped is not None:
        pictures += _image(mapped, map_alt)
    disabled = " disabled" if mapped is None else ""
    slider = (
        f'<label><span>Photo</span><input type="range" min="0" max="100" value="100" step="5"{disabled} '
        'aria-label="How far the map is drawn over the photo"><span>Map</span></label>'
    )
    return f'{_STYLE}<figure class="fer-look"><div class="pictures">{pictures}</div>{slider}</figure>{_MOVE}'


def grid(pictures: Iterable[tuple[np.ndarray, str, str]]) -> str:
    """Pictures side by side, as many in a row as fit: (uint8 (H, W, 3) or (H, W), what it shows, caption) each."""
    figures = (
        f"<figure>{_image(picture, alt)}<figcaption>{html.escape(caption)}</figcaption></figure>"
        for picture, alt, caption in pictures
    )
    return f'{_STYLE}<div class="fer-grid">{"".join(figures)}</div>'


def table(caption: str, head: tuple[str, str, str], rows: Iterable[tuple[str, float, str]]) -> str:
    """A table of three columns, the second one with bars.

    Args:
        caption: What it shows.
        head: The columns' titles.
        rows: Name, share from 0 to 1, and a text each.
    """
    lines = "".join(
        f'<tr><th scope="row" style="font-weight:400">{html.escape(name)}</th>'
        f'<td><span class="bar" style="width:{max(0.5, 60 * share):.1f}%"></span>{percent(share)}</td>'
        f"<td>{html.escape(text)}</td></tr>"
        for name, share, text in rows
    )
    titles = "".join(f'<th scope="col">{html.escape(title)}</th>' for title in head)
    return (
        f'{_STYLE}<table class="fer-table"><caption>{html.escape(caption)}</caption>'
        f"<thead><tr>{titles}</tr></thead><tbody>{lines}</tbody></table>"
    )


def _image(picture: np.ndarray, alt: str) -> str:
    file = io.BytesIO()
    Image.fromarray(picture).save(file, "JPEG", quality=88)
    height, width = picture.shape[:2]
    data = base64.b64encode(file.getvalue()).decode()
    return f'<img width="{width}" height="{height}" alt="{html.escape(alt)}" src="data:image/jpeg;base64,{data}">'
