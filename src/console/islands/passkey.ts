const CHALLENGES = "/console/passkeys/challenges";

/**
 * A form with `data-passkey` names what a passkey confirms. Before it is sent, the browser asks for the passkey and its
 * answer goes with it; the answer is good for what the form says and nothing else. A denial needs none.
 */
export function startPasskeys(): void {
  document.addEventListener("submit", (event) => {
    const form = event.target as HTMLFormElement;
    const kind = form.dataset.passkey;
    const { submitter } = event;
    if (!kind || form.dataset.confirmed || (submitter as HTMLButtonElement | null)?.value === "deny") return;
    event.preventDefault();
    confirm(form, kind, submitter).catch((fault) => tell(form, fault));
  });
}

async function confirm(form: HTMLFormElement, kind: string, submitter: HTMLElement | null): Promise<void> {
  if (kind === "passkey.register" || kind === "passkey.add") {
    if (kind === "passkey.add") fill(form, "passkey", await get(form, kind, submitter));
    fill(form, "credential", await create(form, submitter));
  } else {
    fill(form, "passkey", await get(form, kind, submitter));
  }
  form.dataset.confirmed = "true";
  form.requestSubmit(submitter);
}

async function get(form: HTMLFormElement, kind: string, submitter: HTMLElement | null): Promise<unknown> {
  const options = await challenge<PublicKeyCredentialRequestOptionsJSON>(form, kind, submitter);
  const publicKey = PublicKeyCredential.parseRequestOptionsFromJSON(options);
  return navigator.credentials.get({ publicKey });
}

async function create(form: HTMLFormElement, submitter: HTMLElement | null): Promise<unknown> {
  const options = await challenge<PublicKeyCredentialCreationOptionsJSON>(
    form,
    "passkey.register",
    submitter,
  );
  const publicKey = PublicKeyCredential.parseCreationOptionsFromJSON(options);
  return navigator.credentials.create({ publicKey });
}

async function challenge<T>(form: HTMLFormElement, kind: string, submitter: HTMLElement | null): Promise<T> {
  const fields = new FormData(form, submitter);
  fields.set("confirms", kind);
  const body = new URLSearchParams(Array.from(fields, ([name, value]) => [name, String(value)]));
  const answer = await fetch(CHALLENGES, { method: "POST", body });
  const told = await answer.json();
  if (!answer.ok) throw new Error(told.detail);
  return told.public_key;
}

/** A credential's `toJSON` is what `JSON.stringify` takes. */
function fill(form: HTMLFormElement, name: string, value: unknown): void {
  const field = Object.assign(document.createElement("input"), { type: "hidden", name });
  field.value = JSON.stringify(value);
  form.append(field);
}

function tell(form: HTMLFormElement, fault: unknown): void {
  const place = form.querySelector<HTMLElement>("[data-passkey-fault]") ?? form.appendChild(newNotice());
  const text = fault instanceof Error ? fault.message : String(fault);
  place.textContent = `Not confirmed, nothing was sent: ${text}`;
  place.hidden = false;
}

function newNotice(): HTMLElement {
  const notice = Object.assign(document.createElement("p"), { className: "notice bad" });
  notice.setAttribute("role", "alert");
  return notice;
}
