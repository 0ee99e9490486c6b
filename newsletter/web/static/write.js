// Saves a draft while it is written, shows the mail beside it, counts its recipients and takes pictures that are
// dropped. Without this script the buttons of the page do the same.

const SAVED_AFTER = 2000; // milliseconds from the first key that is not saved
const TRIED_AGAIN_AFTER = 10000;
const SHRUNK_ABOVE = 900000; // bytes of a photo
const WIDE_ENOUGH = 1600; // pixels

const form = document.querySelector("#letter");
const count = document.querySelector("#count");

const fetchPart = async (url, box) => {
  const answer = await fetch(url, { redirect: "manual" }).catch(() => null);
  if (answer?.ok) box.innerHTML = await answer.text();
};

const write = () => {
  const { dataset: words, elements } = form;
  const body = elements.body;
  const status = document.querySelector("#saved");
  const frame = document.querySelector("iframe.mail");
  const checks = document.querySelector("#checks");
  const title = document.querySelector("#title");
  const looks = [...document.querySelectorAll("[data-look]")];
  let look = looks[0];
  let timer = 0;
  let running = null;
  let stopped = false;
  let leaving = false;
  let placed = false;
  let counted = elements.segment.value;

  const read = () => {
    const data = new FormData(form);
    for (const name of ["picture", "description", "revision"]) data.delete(name);
    return data;
  };
  const print = () => JSON.stringify([...read()]);
  let saved = print();

  const say = (text, bad = false) => {
    status.textContent = text;
    status.classList.toggle("error", bad);
  };

  const show = () => {
    const url = new URL(look.href);
    url.searchParams.set("revision", elements.revision.value);
    frame.contentWindow.location.replace(url);
    for (const one of looks) one.toggleAttribute("aria-current", one === look);
  };

  const refresh = async () => {
    document.title = title.textContent = elements.subject.value.trim() || words.untitled;
    show();
    if (counted !== elements.segment.value) {
      counted = elements.segment.value;
      fetchPart(words.count, count);
    }
    await fetchPart(words.checks, checks);
  };

  const send = async () => {
    const typed = print();
    const data = read();
    data.set("revision", elements.revision.value);
    const answer = await fetch(form.action, { method: "POST", body: data, headers: { Accept: "application/json" }, redirect: "manual" });
    if (answer.type === "opaqueredirect") {
      stopped = true;
      return say(words.loggedOut, true);
    }
    const said = await answer.json().catch(() => ({}));
    if (answer.ok) {
      elements.revision.value = said.revision;
      saved = typed;
      say(`${words.saved} ${new Date().toLocaleTimeString(document.documentElement.lang)}`);
      return saved === print() ? refresh() : undefined; // not while somebody types on
    }
    stopped = answer.status === 409;
    return say(`${said.error ?? words.failed} ${stopped ? words.compare : ""}`, true);
  };

  const save = async () => {
    clearTimeout(timer);
    timer = 0;
    if (stopped || saved === print()) return;
    let wait = SAVED_AFTER;
    running = send().catch(() => {
      say(words.failed, true);
      wait = TRIED_AGAIN_AFTER;
    });
    await running;
    running = null;
    if (!stopped && saved !== print()) plan(wait);
  };
  const plan = (wait) => {
    if (!timer && !running) timer = setTimeout(save, wait);
  };

  // A photo of a telephone is made smaller before it travels.
  const shrink = async (file) => {
    if (file.type !== "image/jpeg" || file.size < SHRUNK_ABOVE) return file;
    try {
      const photo = await createImageBitmap(file);
      const scale = Math.min(1, WIDE_ENOUGH / photo.width);
      const canvas = new OffscreenCanvas(Math.round(photo.width * scale), Math.round(photo.height * scale));
      canvas.getContext("2d").drawImage(photo, 0, 0, canvas.width, canvas.height);
      return await canvas.convertToBlob({ type: "image/jpeg", quality: 0.9 });
    } catch {
      return file;
    }
  };

  // A picture is a paragraph of its own, at the cursor; at the end where nobody has set one.
  const insert = (markdown) => {
    const [start, end] = placed ? [body.selectionStart, body.selectionEnd] : [body.value.length, body.value.length];
    const above = body.value.slice(0, start);
    const below = body.value.slice(end);
    const before = !above || above.endsWith("\n\n") ? "" : above.endsWith("\n") ? "\n" : "\n\n";
    const after = !below || below.startsWith("\n") ? "\n" : "\n\n";
    body.setRangeText(`${before}${markdown}${after}`, start, end, "end");
  };

  const upload = async (file) => {
    say(words.uploading);
    const data = new FormData();
    data.set("csrf_token", elements.csrf_token.value);
    data.set("description", elements.description.value);
    data.set("picture", await shrink(file), file.name);
    const answer = await fetch(words.picture, { method: "POST", body: data, headers: { Accept: "application/json" }, redirect: "manual" }).catch(() => null);
    const said = (await answer?.json().catch(() => null)) ?? {};
    if (!answer?.ok) return say(said.error ?? words.failed, true);
    insert(said.markdown);
    elements.description.value = "";
    say("");
    return save();
  };
  const uploadAll = async (files) => {
    for (const file of files) await upload(file);
  };

  body.addEventListener("focus", () => {
    placed = true;
  });
  form.addEventListener("input", () => plan(SAVED_AFTER));
  form.addEventListener("submit", async (event) => {
    const picture = event.submitter?.value === "picture" && elements.picture.files.length;
    if (picture) {
      event.preventDefault();
      await uploadAll(elements.picture.files);
      elements.picture.value = "";
    } else if (running) {
      event.preventDefault();
      const button = event.submitter;
      await running;
      form.requestSubmit(button);
    } else {
      leaving = true;
      clearTimeout(timer);
    }
  });
  addEventListener("beforeunload", (event) => {
    if (!leaving && saved !== print()) event.preventDefault();
  });
  for (const link of looks) {
    link.addEventListener("click", (event) => {
      event.preventDefault();
      look = link;
      show();
    });
  }
  const carries = (event) => event.dataTransfer?.types.includes("Files");
  body.addEventListener("dragover", (event) => {
    if (!carries(event)) return;
    event.preventDefault();
    body.classList.add("over");
  });
  body.addEventListener("dragleave", () => body.classList.remove("over"));
  body.addEventListener("drop", (event) => {
    body.classList.remove("over");
    if (!carries(event)) return;
    event.preventDefault();
    uploadAll(event.dataTransfer.files);
  });
  body.addEventListener("paste", (event) => {
    if (!event.clipboardData?.files.length) return;
    event.preventDefault();
    uploadAll(event.clipboardData.files);
  });
  looks[0].toggleAttribute("aria-current", true);
  if (count.querySelector("button")) fetchPart(words.count, count);
};

const moment = document.querySelector("#at");
moment?.addEventListener("input", () => {
  const when = moment.value ? "at" : "now";
  document.querySelector(`[name=when][value=${when}]`).checked = true;
});

if (form) write();
else if (count?.querySelector("a")) fetchPart(count.dataset.url, count);
