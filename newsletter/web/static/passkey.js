// Passkeys (WebAuthn): makes one, or logs in with one, by what the server asks for. A form gets the device's answer in
// a hidden field and is sent as any other. Without this script a mailed link is the way in.

const form = document.querySelector("form[data-passkey]");

const bytes = (text) => Uint8Array.from(atob(text.replaceAll("-", "+").replaceAll("_", "/")), (one) => one.charCodeAt(0));

const text = (buffer) =>
  btoa(String.fromCharCode(...new Uint8Array(buffer))).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");

const ask = (options) => {
  const named = (list) => (list ?? []).map((one) => ({ ...one, id: bytes(one.id) }));
  const publicKey = { ...options, challenge: bytes(options.challenge) };
  if (!options.user) return navigator.credentials.get({ publicKey: { ...publicKey, allowCredentials: [] } });
  publicKey.user = { ...options.user, id: bytes(options.user.id) };
  publicKey.excludeCredentials = named(options.excludeCredentials);
  return navigator.credentials.create({ publicKey });
};

const write = ({ id, rawId, type, response }) => {
  const answer = {};
  for (const part of ["clientDataJSON", "attestationObject", "authenticatorData", "signature", "userHandle"])
    if (response[part]) answer[part] = text(response[part]);
  return JSON.stringify({ id, rawId: text(rawId), type, response: answer });
};

const show = (words) => {
  const place = form.querySelector(".error");
  place.textContent = words;
  place.hidden = !words;
};

if (form && globalThis.PublicKeyCredential) {
  form.hidden = false;
  document.querySelector("[data-passkey-none]")?.remove();
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    show("");
    const said = await fetch(form.dataset.passkey, { headers: { Accept: "application/json" } }).catch(() => null);
    if (said?.redirected) return location.reload(); // the log-in has become too old
    const place = form.querySelector(".error");
    try {
      form.elements.answer.value = write(await ask(await said.json()));
      form.submit();
    } catch (error) {
      show(error.name === "InvalidStateError" && place.dataset.known ? place.dataset.known : place.dataset.refused);
    }
  });
}
