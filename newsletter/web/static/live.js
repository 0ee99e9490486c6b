// Keeps what is marked `data-live` as the server says it, while it changes; without this script a link shows it anew.

const part = document.querySelector("[data-live]");

const look = async () => {
  const answer = await fetch(location.href, { headers: { Accept: "text/html" } });
  if (!answer.ok || answer.redirected) return;
  const fresh = new DOMParser().parseFromString(await answer.text(), "text/html").querySelector("[data-live]");
  if (!fresh || fresh.dataset.live !== part.dataset.live) return location.reload();
  const said = fresh.querySelector("progress")?.value;
  const shown = part.querySelector("progress");
  if (shown && said !== undefined) shown.value = said;
  const text = part.querySelector("[data-count]");
  if (text) text.textContent = fresh.querySelector("[data-count]")?.textContent ?? "";
  setTimeout(look, 2000);
};

if (part?.dataset.live) setTimeout(look, 1500);
