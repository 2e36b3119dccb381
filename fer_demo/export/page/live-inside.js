// Inside of the app's own page: its colours, and a frame that is as high as what is in it.

/** Takes the theme of the page around, "light" or "dark", and has the frame follow the content. */
export function settle(theme) {
  if (theme === "light" || theme === "dark") document.documentElement.style.colorScheme = theme;
  const frame = window.frameElement;
  if (!frame) return; // on a page of somebody else
  const main = document.querySelector("main");
  new ResizeObserver(() => {
    const height = `${Math.ceil(main.getBoundingClientRect().height) + 4}px`;
    // What Streamlit puts around a frame has its first height.
    const box = frame.closest("[data-testid=stElementContainer]");
    for (let e = frame; e; e = e === box ? null : e.parentElement) {
      e.style.height = height;
      if (!box) break;
    }
  }).observe(main);
}
