"""axe-core finds nothing serious on any page, in light and in dark, on a desktop and on a phone."""

from importlib.resources import files

import pytest
from PIL import Image

pytest.importorskip("axe_playwright_python", reason="axe-playwright-python is not installed")

AXE = (files("axe_playwright_python") / "axe.min.js").read_text(encoding="utf-8")

PAGES = {
    "/": "What does this face look like?",
    "/?sample=astronaut": "Download CSV",
    "/folder": "Up to 1,000 photos",
    "/live": "sent to this server",
    "/video": "Choose a video",
    "/api": "Ask it from a program",
    "/explain": "Why this answer?",
    "/robustness": "Robustness",
    "/tradeoffs": "Trade-offs",
    "/training": "Training",
    "/about": "Model and limits",
}

STREAMLITS_OWN = {  # rule: part of the element's HTML
    # The menu's list holds its links inside of another element.
    "list": ("stSidebarNavItems",),
    "listitem": ('<li class="st-emotion-cache',),
    # Code has the colours of a highlighter, and its block scrolls by mouse alone where it is too narrow.
    "color-contrast": ('class="token',),
    "scrollable-region-focusable": ("<pre",),
}

SCRIPT = """async () => {
  const found = await axe.run(document, { resultTypes: ["violations"], iframes: false });
  return found.violations
    .filter((rule) => ["serious", "critical"].includes(rule.impact))
    .flatMap((rule) => rule.nodes.map((node) => [rule.id, node.html, node.failureSummary]));
}"""


def is_ours(rule: str, html: str) -> bool:
    return not any(part in html for part in STREAMLITS_OWN.get(rule, ()))


def findings(visitor) -> list:
    """What axe finds, once the page has settled."""
    visitor.until("!document.querySelector('[data-testid=stSkeleton], [data-testid=stSpinner]')")
    visitor.page.wait_for_timeout(1500)  # charts and tables draw themselves
    frames = [visitor.page.main_frame, *(f for f in visitor.page.frames if "/upload/" in f.url)]
    found = []
    for frame in frames:
        frame.evaluate(AXE)
        found += [finding for finding in frame.evaluate(SCRIPT) if is_ours(*finding[:2])]
    return found


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("path", PAGES)
def test_nothing_serious(visit, path, scheme):
    visitor = visit(width=1280 if scheme == "light" else 390, path=path, color_scheme=scheme)
    visitor.sees(PAGES[path])
    assert findings(visitor) == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_nothing_serious_in_a_full_folder(visit, scheme, tmp_path):
    from fer_demo.vision.samples import SAMPLES

    (tmp_path / "notes.jpg").write_text("no picture")
    paths = [tmp_path / "notes.jpg"]
    for sample in SAMPLES[:3]:
        paths.append(tmp_path / f"{sample.id}.png")
        Image.fromarray(sample.load()).save(paths[-1])
    visitor = visit(width=1280 if scheme == "light" else 390, path="/folder", color_scheme=scheme)
    visitor.add(paths)
    visitor.widget.get_by_text("3 of 4 photos read").wait_for()
    visitor.sees("4 photos")
    assert findings(visitor) == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_nothing_serious_about_a_video(visit, scheme):
    pytest.importorskip("av", reason="the video extra is not installed")
    visitor = visit(width=1280 if scheme == "light" else 390, path="/video", color_scheme=scheme)
    visitor.page.get_by_role("button", name="Try a sample clip").click()
    visitor.sees("Download CSV")
    assert findings(visitor) == []
