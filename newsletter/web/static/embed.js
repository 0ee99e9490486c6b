// Upgrades the newsletter forms pasted into this page, in place: what is missing is said beside its field, and the
// answer appears where the form was. No cookie, no storage, no other site asked, nothing of the visitor read.
// Where anything here fails, the form is sent as the plain HTML it is.
(() => {
  "use strict";

  const PATIENCE = 15_000; // ms for an answer
  const PUZZLE_PATIENCE = 8_000; // ms for the puzzle, once the button is pressed
  const hex = (text) => Uint8Array.from(text.match(/../g) || [], (pair) => parseInt(pair, 16));
  const pause = (ms) => new Promise((done) => setTimeout(done, ms));
  const UPGRADED = Symbol.for("newsletter"); // seen by each copy of this script, and no field can be called that
  let count = 0;

  // ── the puzzle: ALTCHA's protocol 2, PBKDF2 by the browser's own means ────────────────────────────
  // The blog's policy (worker-src, style-src) has no room for ALTCHA's own widget; the work is the same.

  async function solve(address) {
    const challenge = await (await fetch(address, { credentials: "omit" })).json();
    const { nonce, salt, cost, keyLength, keyPrefix, algorithm } = challenge.parameters;
    if (algorithm !== "PBKDF2/SHA-256") return "";
    const password = new Uint8Array([...hex(nonce), 0, 0, 0, 0]);
    const view = new DataView(password.buffer);
    const options = { name: "PBKDF2", hash: "SHA-256", salt: hex(salt), iterations: cost };
    for (let counter = 0; counter < 1_000_000; counter++) {
      view.setUint32(password.length - 4, counter);
      const key = await crypto.subtle.importKey("raw", password, "PBKDF2", false, ["deriveBits"]);
      const bits = new Uint8Array(await crypto.subtle.deriveBits(options, key, keyLength * 8));
      const derivedKey = Array.from(bits, (byte) => byte.toString(16).padStart(2, "0")).join("");
      if (derivedKey.startsWith(keyPrefix)) return btoa(JSON.stringify({ challenge, solution: { counter, derivedKey } }));
    }
    return "";
  }

  // ── one form ──────────────────────────────────────────────────────────────────────────────────────

  function upgrade(form) {
    if (form[UPGRADED]) return; // the script stands twice on the page
    form[UPGRADED] = true;
    form.noValidate = true; // we say it ourselves, beside the field
    const number = ++count;
    // Never form.action or form.elements: a field of the author's may be called that, and would be found instead.
    const action = new URL(form.getAttribute("action"), document.baseURI).href;
    const said = (name) => form.getAttribute(`data-${name}`);
    const fields = () =>
      [...form.querySelectorAll("input, select")].filter((field) => field.willValidate && field.name && !field.closest("[hidden]"));
    let puzzle = null;
    let busy = false;

    applyStyle(form);
    form.addEventListener("focusin", () => {
      puzzle ??= solve(new URL("challenge", action).href).catch(() => "");
    });

    function say(field, text) {
      const id = `newsletter-${number}-${field.name}`;
      let note = document.getElementById(id);
      if (!text) {
        note?.remove();
        field.removeAttribute("aria-invalid");
        field.removeAttribute("aria-describedby");
        return;
      }
      if (!note) {
        note = document.createElement("small");
        note.id = id;
        note.className = "newsletter-error";
        (field.closest("label") || field).after(note);
      }
      note.textContent = text;
      field.setAttribute("aria-invalid", "true");
      field.setAttribute("aria-describedby", id);
    }

    // In the form's language, which need not be the browser's; a form printed earlier does not bring the words.
    const wrong = ({ validity, type, validationMessage }) => {
      const why = !validity.valueMissing ? "mistyped" : type === "checkbox" ? "unticked" : "missing";
      return said(why) || validationMessage;
    };
    const check = (field) => say(field, field.checkValidity() ? "" : wrong(field));
    form.addEventListener("focusout", ({ target }) => fields().includes(target) && target.value && check(target));
    form.addEventListener("input", ({ target }) => target.getAttribute?.("aria-invalid") && check(target));

    function refuse(errors) {
      const named = fields().filter((field) => errors[field.name]);
      named.forEach((field) => say(field, errors[field.name]));
      named[0]?.focus();
      return named.length > 0;
    }

    function announce(text, role) {
      let note = form.querySelector(".newsletter-note");
      if (!note) {
        note = document.createElement("p");
        note.className = "newsletter-note";
        form.insertAdjacentElement("beforeend", note);
      }
      note.setAttribute("role", role);
      note.textContent = text;
      return note;
    }

    function succeed() {
      const note = announce(said("sent"), "status");
      form.replaceChildren(note);
      note.tabIndex = -1;
      note.focus();
    }

    async function send() {
      const altcha = await Promise.race([puzzle ?? "", pause(PUZZLE_PATIENCE)]);
      puzzle = null; // good for one try
      const data = new URLSearchParams(new FormData(form));
      data.set("form", "script");
      data.set("page", location.origin + location.pathname);
      if (altcha) data.set("altcha", altcha);
      const answer = await fetch(action, {
        method: "POST",
        body: data,
        headers: { Accept: "application/json" },
        credentials: "omit",
        signal: AbortSignal.timeout(PATIENCE),
      });
      const { error, errors } = await answer.json();
      if (answer.ok) return succeed();
      if (answer.status === 422 && refuse(errors)) return;
      if (answer.status === 422) return announce(Object.values(errors).join(" "), "alert");
      if (error) return announce(error, "alert");
      throw new Error(answer.status);
    }

    form.addEventListener("submit", async (event) => {
      event.preventDefault();
      if (busy) return;
      const wrong = fields().filter((field) => !field.checkValidity());
      fields().forEach(check);
      if (wrong.length) return wrong[0].focus();
      busy = true;
      form.setAttribute("aria-busy", "true");
      try {
        await send();
      } catch {
        HTMLFormElement.prototype.submit.call(form); // a page of ours answers
      }
      busy = false;
      form.removeAttribute("aria-busy");
    });
  }

  // A page whose policy forbids style elements has left the form's own without effect: it is applied by other means.
  function applyStyle(form) {
    const style = form.querySelector("style");
    if (!style || style.sheet?.cssRules.length || !document.adoptedStyleSheets) return;
    const sheet = new CSSStyleSheet();
    sheet.replaceSync(style.textContent);
    document.adoptedStyleSheets = [...document.adoptedStyleSheets, sheet];
  }

  // ── frames: as tall as what is in them, and in this page's font ───────────────────────────────────

  function look(frame) {
    frame.style.display = "block";
    frame.style.colorScheme = "light"; // as its page says: browsers paint no canvas behind a frame of the same scheme
    if (frame.contentDocument?.URL === "about:blank") return; // nothing is in it yet; what comes says "ready"
    const { fontFamily, fontSize } = getComputedStyle(frame.parentElement || document.body);
    const origin = new URL(frame.src).origin;
    frame.contentWindow.postMessage({ newsletter: "look", family: fontFamily, size: fontSize }, origin);
  }

  addEventListener("message", ({ source, origin, data }) => {
    if (!data?.newsletter) return;
    for (const frame of document.querySelectorAll("iframe[data-newsletter]")) {
      if (frame.contentWindow !== source || new URL(frame.src).origin !== origin) continue;
      if (data.newsletter === "ready") look(frame);
      if (data.newsletter === "height" && data.height > 0 && data.height < 5000) frame.style.height = `${data.height}px`;
    }
  });

  function begin() {
    document.querySelectorAll("form[data-newsletter]").forEach(upgrade);
    document.querySelectorAll("iframe[data-newsletter]").forEach(look);
  }

  if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", begin);
  else begin();
})();
