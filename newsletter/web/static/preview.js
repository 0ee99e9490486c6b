// Shows in the frame of the page what its form would make, a moment after each change; the button does it without this script.

const form = document.querySelector("form[data-preview]");
const frame = document.querySelector("iframe");
let waiting;

const show = () => {
  const fields = new URLSearchParams();
  for (const [name, value] of new FormData(form)) {
    if (name !== "csrf_token" && !name.startsWith("was_")) fields.append(name, value);
  }
  frame.src = `${form.dataset.preview}?${fields}`;
};

form?.addEventListener("input", () => {
  clearTimeout(waiting);
  waiting = setTimeout(show, 400);
});
