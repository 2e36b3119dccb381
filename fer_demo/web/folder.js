// The widget on the page Folder: very many photos, sent in groups one after the other. upload.js hands over what comes.
window.ferFolder = (() => {
  "use strict";
  if (!new URLSearchParams(location.search).has("folder")) return null;
  const { limits, endings } = window.ferUpload;
  const MB = 2 ** 20;
  const FILES = Math.min(12, limits.files);
  const BYTES = Math.min(24, limits.request_mb) * MB;
  const TRIES = 5;
  const number = (n) => n.toLocaleString("en");
  const wait = (seconds) => new Promise((done) => { setTimeout(done, seconds * 1000); });
  const isHidden = (path) => path.split("/").some((part) => part.startsWith(".") || part.startsWith("__MACOSX"));
  const isPicture = (path) => endings.some((ending) => path.toLowerCase().endsWith(ending));

  let page = null; // what upload.js gives
  let run = null; // what is being sent

  // The pictures in what was added: {name, size, open}. What is in a folder or an archive and no picture is counted.
  async function gather(files, state) {
    const items = [];
    for (const { file, path, chosen } of files) {
      if (isHidden(path) && !chosen) continue;
      const first = new Uint8Array(await file.slice(0, 4).arrayBuffer().catch(() => new ArrayBuffer(0)));
      const isZip = first[0] === 0x50 && first[1] === 0x4b && first[2] < 8;
      if (isZip && (chosen || /\.(zip|cbz)$/i.test(path))) {
        try {
          const before = items.length;
          for (const entry of await window.ferZip.list(file)) {
            if (isHidden(entry.name)) continue;
            if (!isPicture(entry.name)) state.leftOut += 1;
            else if (entry.locked) state.problem(`${entry.name} is locked with a password.`);
            else items.push({ name: entry.name, size: entry.size, open: () => window.ferZip.take(file, entry, limits.upload_mb * MB) });
          }
          if (items.length === before) state.problem(`${path} holds no pictures.`);
          continue;
        } catch {
          // The server says what is wrong with it.
        }
      } else if (!chosen && !isPicture(path)) {
        state.leftOut += 1;
        continue;
      }
      items.push({ name: path, size: file.size, open: async () => file });
    }
    return items;
  }

  // The next group that fits the limits; what is too large by itself is told.
  function next(items, state) {
    const group = [];
    let bytes = 0;
    const most = state.done ? FILES : Math.min(4, FILES); // so that there is soon something to see
    while (items.length && group.length < most) {
      const item = items[0];
      if (item.size > limits.upload_mb * MB) {
        state.problem(`${item.name} is too large: a picture may have ${limits.upload_mb} MB.`);
        state.done += 1;
      } else if (group.length && bytes + item.size > BYTES) break;
      else {
        group.push(item);
        bytes += item.size;
      }
      items.shift();
    }
    return group;
  }

  async function send(group, state) {
    const form = new FormData();
    for (const item of group) {
      try {
        form.append("files", new Blob([await (await item.open()).arrayBuffer()]), item.name);
      } catch {
        state.problem(`${item.name} cannot be read from this device.`);
        state.done += 1;
      }
    }
    if (![...form.keys()].length) return;
    const query = new URLSearchParams(location.search);
    query.set("group", crypto.getRandomValues(new Uint32Array(4)).join("-"));
    for (let attempt = 1; ; attempt += 1) {
      const answer = await ask(`group?${query}`, form, state);
      if (answer.gone || answer.added !== undefined || (answer.error && !answer.retry)) {
        if (answer.gone) throw new Error(answer.error);
        if (answer.error) state.problem(answer.error);
        state.done += group.length;
        state.read += answer.read ?? 0;
        state.faces += answer.faces ?? 0;
        state.leftOut += answer.left_out ?? 0;
        state.room = answer.room ?? state.room;
        if (answer.added) page.delivered();
        return;
      }
      if (attempt === TRIES) throw new Error(answer.error);
      state.show(`${answer.error} Trying again …`);
      await wait(Math.min(10, answer.retry));
      state.check();
    }
  }

  // One request; its last line, or {error, retry: seconds} for what may work later.
  async function ask(address, form, state) {
    let response;
    try {
      response = await fetch(address, { method: "POST", body: form, signal: state.abort.signal });
      if (!response.ok) {
        const said = await response.json().catch(() => ({}));
        const retry = [429, 502, 503, 504].includes(response.status) ? Number(response.headers.get("Retry-After")) || 3 : 0;
        return { error: said.error ?? `The server answered ${response.status}.`, retry, gone: response.status === 404 };
      }
      const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
      let [text, last] = ["", null];
      for (;;) {
        const { done, value } = await reader.read();
        if (done) break;
        const lines = (text + value).split("\n");
        text = lines.pop();
        for (const line of lines.filter(Boolean)) {
          last = JSON.parse(line);
          if (last.photo) state.show(state.progress(last.photo));
          if (last.wait) state.show(`${state.progress(0)} Waiting: ${last.wait} before you.`);
        }
      }
      if (last && (last.added !== undefined || last.error)) return last;
    } catch {
      state.check();
    }
    return { error: "The connection to the server was lost.", retry: 2 };
  }

  const STOPPED = Symbol("stopped");

  function begin() {
    const state = { done: 0, total: 0, read: 0, faces: 0, leftOut: 0, room: Infinity, problems: [], abort: new AbortController() };
    state.problem = (sentence) => state.problems.push(sentence);
    state.check = () => { if (state.abort.signal.aborted) throw STOPPED; };
    state.progress = (n) => `Photo ${number(Math.min(state.total, state.done + n))} of ${number(state.total)} …`;
    const bar = Object.assign(document.createElement("progress"), { max: 1, value: 0 });
    bar.setAttribute("aria-label", "Photos that are done");
    const text = document.createElement("span");
    const stop = Object.assign(document.createElement("button"), { type: "button", textContent: "Stop" });
    stop.addEventListener("click", () => state.abort.abort());
    const box = Object.assign(document.createElement("div"), { id: "sending" });
    box.append(text, bar, stop);
    state.show = (words) => {
      text.textContent = words;
      bar.max = Math.max(1, state.total);
      bar.value = state.done;
      page.fit();
    };
    state.box = box;
    return state;
  }

  function summary(state, end) {
    const none = !state.total && !state.problems.length;
    const parts = none ? ["No photos were found in what was added."] : [`${number(state.read)} of ${number(state.total)} photo${state.total === 1 ? "" : "s"} read, ${number(state.faces)} face${state.faces === 1 ? "" : "s"}.`];
    if (end) parts.unshift(end);
    if (state.leftOut) parts.push(`${number(state.leftOut)} other file${state.leftOut === 1 ? "" : "s"} left out.`);
    if (state.over) parts.push(`${number(state.over)} photos left out: this page takes ${number(limits.folder)}. fer-demo batch reads any number.`);
    const told = state.problems.slice(0, 3);
    if (state.problems.length > 3) told.push(`And ${number(state.problems.length - 3)} more of the kind.`);
    page.say([...parts, ...told].join(" "), Boolean(end || state.over || none || told.length));
  }

  async function work(files) {
    const state = (run = begin());
    page.busy(state.box);
    state.show("Looking for photos …");
    let end = "";
    try {
      const items = await gather(files, state);
      state.total = items.length;
      state.over = Math.max(0, items.length - limits.folder);
      items.length -= state.over;
      for (let group; (group = next(items, state)).length; ) {
        state.check();
        state.show(state.progress(1));
        await send(group, state);
        if (state.room === 0 && items.length) {
          state.over += items.length;
          break;
        }
      }
    } catch (error) {
      end = error === STOPPED ? "Stopped." : `${error.message} ${number(state.total - state.done)} photos were not sent; add them again.`;
    }
    run = null;
    page.busy(null);
    summary(state, end);
  }

  function take(list) {
    const files = [...list];
    if (!files.length) return false;
    if (run) {
      page.say("Photos are still being sent; add more when they are done, or stop them first.", true);
      return true;
    }
    work(files.map((file) => ({ file, path: file.webkitRelativePath || file.name, chosen: !file.webkitRelativePath })));
    return true;
  }

  // Files and folders that are dropped. Entries can only be asked for during the event.
  function drop(transfer) {
    const entries = [...transfer.items].map((item) => item.webkitGetAsEntry?.()).filter(Boolean);
    if (!entries.some((entry) => entry.isDirectory)) return take(transfer.files);
    if (run) return take(transfer.files);
    const found = [];
    const walk = async (entry, top) => {
      if (entry.isFile) {
        const file = await new Promise((done) => { entry.file(done, () => done(null)); });
        if (file) found.push({ file, path: entry.fullPath.replace(/^\//, ""), chosen: top });
        return;
      }
      const reader = entry.createReader();
      for (;;) { // a part of the folder at a time
        const part = await new Promise((done) => { reader.readEntries(done, () => done([])); });
        if (!part.length) return;
        for (const inner of part) await walk(inner, false);
      }
    };
    (async () => {
      for (const entry of entries) await walk(entry, true);
      if (found.length) work(found);
      else page.say("There are no files in what was dropped.", true);
    })();
    return true;
  }

  // Puts the buttons where the others have their camera.
  function start(given, button) {
    page = given;
    page.say(window.ferUpload.hint, false);
    button.textContent = "Choose photos or a ZIP";
    const input = Object.assign(document.createElement("input"), { type: "file", webkitdirectory: true, multiple: true, hidden: true });
    input.tabIndex = -1;
    input.addEventListener("change", () => {
      if (!take(input.files)) page.say("There are no files in this folder.", true);
      input.value = "";
    });
    const choose = Object.assign(document.createElement("button"), { type: "button", textContent: "Choose a folder" });
    choose.addEventListener("click", () => input.click());
    const box = Object.assign(document.createElement("div"), { id: "camera" });
    if ("webkitdirectory" in input) box.append(choose, input);
    button.parentElement.append(box);
  }

  return { take, drop, start };
})();
