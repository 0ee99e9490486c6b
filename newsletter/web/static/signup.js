// The form on our own pages works without this. With it, the browser solves a small puzzle (ALTCHA) while the visitor
// types, and so has higher ceilings than a robot. Nothing is sent by itself: this only adds a field to the form.
// Never form.submit or form.append: a field of the author's may be called that, and would be found instead.

const form = document.querySelector("form.signup");
const PATIENCE = 10_000; // ms; a slow machine signs up without a solution
let widget = null;

async function begin() {
  if (widget || !globalThis.isSecureContext) return;
  widget = document.createElement("altcha-widget");
  await import("./altcha/altcha.js");
  $altcha.algorithms.set("PBKDF2/SHA-256", () => new Worker(new URL("./altcha/pbkdf2.js", import.meta.url)));
  widget.setAttribute("challenge", form.getAttribute("data-challenge"));
  widget.setAttribute("auto", "onload");
  widget.setAttribute("display", "invisible");
  widget.setAttribute("configuration", '{"humanInteractionSignature": false}'); // watches no mouse
  widget.hidden = true;
  form.insertAdjacentElement("beforeend", widget);
}

function solved() {
  return new Promise((done) => {
    widget.addEventListener("statechange", (event) => event.detail.state === "verifying" || done());
    setTimeout(done, PATIENCE);
  });
}

form?.addEventListener("focusin", () => begin().catch(() => {}), { once: true });
if (form && document.activeElement?.form === form) begin().catch(() => {});

form?.addEventListener("submit", async (event) => {
  if (widget?.getState?.() !== "verifying") return;
  event.preventDefault();
  form.setAttribute("aria-busy", "true");
  await solved();
  HTMLFormElement.prototype.submit.call(form);
});

// Going back to a page that was left while it waited.
addEventListener("pageshow", () => form?.removeAttribute("aria-busy"));
