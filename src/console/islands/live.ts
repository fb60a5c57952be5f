import { startCopy } from "./copy.ts";

const EVERY_MS = 5_000;

/**
 * `[data-live]` is replaced when the page, fetched anew, has another `data-live`: what it names changes with what is
 * shown. Never under somebody's hands: not while a field in it has been touched or has the focus.
 */
export function startLive(): void {
  if (document.querySelector("[data-live]")) setTimeout(refresh, EVERY_MS);
}

async function refresh(): Promise<void> {
  const region = document.querySelector<HTMLElement>("[data-live]");
  if (!region) return;
  try {
    if (!document.hidden) await refreshRegion(region);
  } catch {
    // The network is away for a moment; the next turn tries again.
  }
  setTimeout(refresh, EVERY_MS);
}

async function refreshRegion(region: HTMLElement): Promise<void> {
  const url = new URL(location.href);
  url.searchParams.delete("done");
  const answer = await fetch(url, { headers: { accept: "text/html" }, redirect: "manual" });
  if (!answer.ok) return;
  const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
  const next = fresh.querySelector<HTMLElement>("[data-live]");
  if (!next || next.dataset.live === region.dataset.live) return;
  if (isInUse(region)) return offer(region);
  region.replaceWith(document.adoptNode(next));
  startCopy();
  const said = document.querySelector("#live-status");
  if (said) said.textContent = "This page has changed.";
}

function isInUse(region: HTMLElement): boolean {
  if (region.contains(document.activeElement) && document.activeElement !== region) return true;
  const fields = region.querySelectorAll<HTMLInputElement | HTMLTextAreaElement>("input, textarea");
  return Array.from(fields).some((field) =>
    field instanceof HTMLInputElement && ["checkbox", "radio"].includes(field.type)
      ? field.checked !== field.defaultChecked
      : field.value !== field.defaultValue,
  );
}

/** Says that there is something new, once, and leaves the page as it is. */
function offer(region: HTMLElement): void {
  if (document.querySelector("#live-offer")) return;
  const link = Object.assign(document.createElement("a"), {
    href: location.pathname,
    textContent: "Something has changed: show it",
  });
  const notice = Object.assign(document.createElement("p"), { id: "live-offer", className: "notice" });
  notice.setAttribute("role", "status");
  notice.append(link);
  region.before(notice);
}
