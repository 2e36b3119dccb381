// The widget's own script: drop, paste, camera and size. Whatever comes goes through the one file input of Gradio's
// button, and the page around is told when its answer is there.
(() => {
  "use strict";
  const frame = window.frameElement;
  const around = frame ? window.parent : null;
  const touch = window.matchMedia("(pointer: coarse)").matches;

  const folder = window.ferFolder; // on the page Folder, whose photos are sent in groups
  const most = window.ferUpload.limits.files;

  const say = (text, bad = true) => {
    const note = document.querySelector("#answer .note");
    if (note) {
      note.textContent = text;
      note.setAttribute("role", bad ? "alert" : "status");
      note.classList.toggle("error", bad);
    }
  };

  // More than one request takes: the page Folder is for them.
  function tooMany(list) {
    if (list.length <= most) return false;
    const link = Object.assign(document.createElement("a"), { textContent: "page Folder", target: "_blank" });
    link.href = new URL("../folder", location.href).href;
    link.addEventListener("click", (event) => { // a frame may not lead the page elsewhere, but its own link does
      const own = [...(around?.document.querySelectorAll("a[href]") ?? [])].find((a) => a.href.split("?")[0] === link.href);
      if (!own) return;
      event.preventDefault();
      own.click();
    });
    const number = (n) => n.toLocaleString("en");
    say(`${number(list.length)} files are more than the ${most} that are taken here at a time; add them on the `);
    document.querySelector("#answer .note")?.append(link, `, which takes ${number(window.ferUpload.limits.folder)}.`);
    return true;
  }

  const fileInput = () => document.querySelector("input[type=file]");

  function give(files) {
    if (folder) return folder.take(files ?? []);
    const list = [...(files ?? [])].filter((file) => file.size > 0);
    const input = fileInput();
    if (!list.length || !input) return false;
    if (tooMany(list)) return true;
    const box = new DataTransfer();
    list.forEach((file) => box.items.add(file));
    input.files = box.files;
    input.dispatchEvent(new Event("change", { bubbles: true }));
    return true;
  }

  function fit() {
    if (!frame) return;
    // Of the parts, not of what holds them: that is as high as the frame.
    const parts = [...document.querySelectorAll("#choose, #answer .note, #camera, #sending")];
    const height = `${Math.ceil(Math.max(...parts.map((e) => e.getBoundingClientRect().bottom)) + scrollY) + 22}px`;
    frame.style.height = height;
    // What Streamlit puts around a frame has its first height.
    const box = frame.closest("[data-testid=stElementContainer]");
    if (box) box.style.height = height;
    for (let e = frame.parentElement; e && e !== box; e = e.parentElement) e.style.height = height;
  }

  // Dropping, here and on the page around.
  function listen(target) {
    const over = (event) => {
      if ([...(event.dataTransfer?.types ?? [])].includes("Files")) {
        event.preventDefault();
        document.body.classList.add("over");
      }
    };
    const out = () => document.body.classList.remove("over");
    const drop = (event) => {
      out();
      if (event.dataTransfer?.files.length) {
        event.preventDefault();
        if (folder) folder.drop(event.dataTransfer);
        else give(event.dataTransfer.files);
      }
    };
    const paste = (event) => {
      const typing = event.target?.closest?.("input, textarea, [contenteditable=true]");
      if (!typing && give(event.clipboardData?.files)) event.preventDefault();
    };
    const all = [["dragover", over], ["dragleave", out], ["drop", drop], ["paste", paste]];
    all.forEach(([name, handler]) => target.addEventListener(name, handler));
    return () => all.forEach(([name, handler]) => target.removeEventListener(name, handler));
  }

  // A camera in the page, for machines whose file chooser has none. Phones offer theirs beside their photos.
  function camera() {
    const box = document.createElement("div");
    box.id = "camera";
    const open = Object.assign(document.createElement("button"), { type: "button", textContent: "Use the camera" });
    box.append(open);
    let stream = null;
    const stop = () => {
      stream?.getTracks().forEach((track) => track.stop());
      stream = null;
      box.replaceChildren(open);
      fit();
    };
    open.addEventListener("click", async () => {
      try {
        const video = { width: { ideal: 1920 }, height: { ideal: 1080 }, facingMode: "user" };
        stream = await navigator.mediaDevices.getUserMedia({ video, audio: false });
      } catch {
        say("The camera cannot be used; allow it in the browser's address bar, or choose a file.");
        fit();
        return;
      }
      const picture = Object.assign(document.createElement("video"), { muted: true, playsInline: true });
      picture.setAttribute("aria-label", "What the camera sees");
      picture.srcObject = stream;
      const take = Object.assign(document.createElement("button"), { type: "button", textContent: "Take the picture" });
      const cancel = Object.assign(document.createElement("button"), { type: "button", textContent: "Cancel" });
      take.disabled = true;
      take.addEventListener("click", () => {
        const canvas = document.createElement("canvas");
        [canvas.width, canvas.height] = [picture.videoWidth, picture.videoHeight];
        canvas.getContext("2d").drawImage(picture, 0, 0);
        canvas.toBlob((blob) => {
          stop();
          open.focus();
          if (blob) give([new File([blob], "camera.jpg", { type: "image/jpeg" })]);
        }, "image/jpeg", 0.95);
      });
      cancel.addEventListener("click", () => { stop(); open.focus(); });
      box.replaceChildren(picture, take, cancel);
      picture.addEventListener("loadeddata", () => { take.disabled = false; fit(); take.focus(); });
      picture.play();
    });
    window.addEventListener("pagehide", stop);
    return box;
  }

  function start(button) {
    const input = fileInput();
    if (input) input.accept = "image/*,.heic,.heif,.avif,.tif,.tiff,.zip,application/zip";
    if (folder) {
      const delivered = () => around?.postMessage({ ferDemo: "delivered", mark: `${Math.random()}` }, location.origin);
      const busy = (box) => {
        document.querySelector("#sending")?.remove();
        document.querySelector("#answer").style.display = box ? "none" : "";
        if (box) button.parentElement.append(box);
        fit();
      };
      folder.start({ say, fit, busy, delivered }, button);
    } else if (navigator.mediaDevices?.getUserMedia && !touch) button.parentElement.append(camera());
    // Before Gradio sees what was chosen.
    document.addEventListener("change", (event) => {
      if (event.target !== fileInput() || !event.target.files.length) return;
      if (folder ? folder.take(event.target.files) : tooMany([...event.target.files])) {
        event.stopImmediatePropagation();
        event.target.value = "";
      }
    }, true);
    const ends = [listen(document)];
    if (around) ends.push(listen(around.document));
    window.addEventListener("pagehide", () => ends.forEach((end) => end()));
    new ResizeObserver(fit).observe(document.querySelector(".gradio-container"));
    let told = null;
    new MutationObserver(() => {
      const mark = document.querySelector("#answer [data-delivered]")?.dataset.delivered ?? null;
      fit();
      if (mark !== told && mark !== null && around) around.postMessage({ ferDemo: "delivered", mark }, location.origin);
      told = mark;
    }).observe(document.querySelector("#answer"), { childList: true, subtree: true, attributes: true });
    fit();
    if (around) around.postMessage({ ferDemo: "ready" }, location.origin);
  }

  // Gradio draws its parts some time after the page was loaded.
  const waiting = new MutationObserver(() => {
    const button = document.querySelector("#choose");
    if (button && fileInput() && document.querySelector("#answer")) {
      waiting.disconnect();
      start(button.closest("button") ?? button);
    }
  });
  waiting.observe(document.documentElement, { childList: true, subtree: true });
})();
