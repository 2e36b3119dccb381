// Runs once a page is drawn, and again whenever its data change.
const KEY = "fer-demo-visit";

// Streamlit's own parts that have no name, and a menu on phones that stays open over the page.
function tidy() {
  const name = (selector, text) => {
    const button = document.querySelector(selector);
    if (button && button.getAttribute("aria-label") !== text) button.setAttribute("aria-label", text);
  };
  name("[data-testid=stExpandSidebarButton]", "Menu");
  name("[data-testid=stSidebarCollapseButton] button", "Close the menu");
}

// Nothing may lie on a chart that cannot be pointed at, and a menu has a name.
const STYLE = `
  @media (pointer: coarse) { .js-plotly-plot .modebar { display: none !important; } }
  [data-testid=stCaptionContainer], [data-testid=stCaptionContainer] p { color: var(--fer-caption) !important; opacity: 1 !important; }
  .st-key-answer { scroll-margin-top: 4rem; }
  @media (max-width: 767px) {
    [data-testid=stExpandSidebarButton] { width: auto !important; }
    [data-testid=stExpandSidebarButton]::after { content: "Menu"; font: 600 1rem "Source Sans", sans-serif; }
  }
  @media (prefers-reduced-motion: reduce) { *, *::before, *::after { animation: none !important; transition: none !important; } }
`;

// Streamlit's captions are too pale on a white page: the text's own colour, less diluted.
function readableCaptions() {
  const app = document.querySelector(".stApp");
  if (!app) return;
  const text = getComputedStyle(app).color;
  document.documentElement.style.setProperty("--fer-caption", `color-mix(in srgb, ${text} 80%, transparent)`);
}

// Streamlit closes it by itself for what calls itself a phone, not in a narrow window.
function closeMenu() {
  if (innerWidth >= 768) return;
  setTimeout(() => document.querySelector("[data-testid=stSidebarCollapseButton] button")?.click(), 50);
}

export default function (component) {
  const { data, parentElement, setTriggerValue } = component;
  const here = (window.ferDemo ??= { said: null, asked: false });

  // The latest component speaks for the page: an earlier one's functions lead nowhere.
  here.send = setTriggerValue;
  if (!here.listens) {
    here.listens = true;
    addEventListener("message", (event) => {
      if (event.origin !== location.origin || !event.data?.ferDemo) return;
      if (event.data.ferDemo === "ready") {
        here.ready = true;
        if (here.late) here.send("frame", "ready");
        here.late = false;
      }
      if (event.data.ferDemo === "delivered") {
        here.expects = true;
        here.send("arrived", event.data.mark);
      }
    });
    here.path = new URL(performance.getEntriesByType("navigation")[0]?.name ?? location.href).pathname;
    document.addEventListener("click", (event) => {
      if (event.target.closest?.("[data-testid=stSidebarNav] a")) closeMenu();
    }, true);
    new MutationObserver(tidy).observe(document.body, { childList: true, subtree: true });
    tidy();
    document.head.append(Object.assign(document.createElement("style"), { textContent: STYLE }));
  }

  readableCaptions();
  // Who chose a page before this script was there to see it.
  if (here.path !== location.pathname) closeMenu();
  here.path = location.pathname;
  if (data.sid) {
    // Who comes with a keyboard starts before the widget and not at the top of the menu.
    const start = parentElement.host ?? parentElement;
    if (!here.started && (document.activeElement === document.body || !document.activeElement)) {
      start.tabIndex = -1;
      start.style.outline = "none";
      start.focus({ preventScroll: true });
    }
    here.started = true;
    // A tab that is loaded again has a new visit; its photo is still with the one before.
    const before = sessionStorage.getItem(KEY);
    if (!here.asked && before && before !== data.sid) here.send("before", before);
    else sessionStorage.setItem(KEY, data.sid);
    here.asked = true;
    if (!here.watches) {
      here.watches = true;
      for (const [seconds, state] of [[20, "slow"], [60, "blocked"]]) {
        setTimeout(() => {
          if (here.ready) return;
          here.late = true;
          here.send("frame", state);
        }, seconds * 1000);
      }
    }
  }

  const news = parentElement.querySelector(".news");
  news.style.cssText = "position:absolute;width:1px;height:1px;overflow:hidden;clip-path:inset(50%)";
  news.textContent = data.news;
  if (data.news !== here.said) {
    here.said = data.news;
    const answer = document.querySelector(".st-key-answer");
    if (here.expects && answer && data.news) {
      here.expects = false;
      const calm = matchMedia("(prefers-reduced-motion: reduce)").matches;
      setTimeout(() => {  // the page is still growing
        const { top } = answer.getBoundingClientRect();
        if (top > innerHeight * 0.6 || top < 0) answer.scrollIntoView({ behavior: calm ? "auto" : "smooth" });
      }, 300);
    }
  }
}
