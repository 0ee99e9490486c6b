// Shows what is being sent as it goes on; without this script a link shows it anew.

const EVERY = 4000;

const look = async () => {
  const part = document.querySelector("#under-way[data-refresh]");
  if (!part) return;
  if (!document.hidden && !part.contains(document.activeElement)) {
    const answer = await fetch(part.dataset.refresh, { headers: { Accept: "text/html" } }).catch(() => null);
    if (answer && (answer.redirected || answer.status === 403)) return;
    const page = answer?.ok && new DOMParser().parseFromString(await answer.text(), "text/html");
    const fresh = page && page.querySelector("#under-way");
    if (fresh) part.replaceWith(document.adoptNode(fresh));
  }
  setTimeout(look, EVERY);
};

setTimeout(look, EVERY);
