/** On a page with `[data-keys]`: j and k go from item to item, a and d to its buttons, ? tells the keys. */
export function startKeys(): void {
  if (!document.querySelector("[data-keys]")) return;
  document.addEventListener("keydown", (event) => {
    if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey || isTyping()) return;
    const act = ACTIONS[event.key];
    if (!act) return;
    event.preventDefault();
    act();
  });
}

const ACTIONS: Record<string, () => void> = {
  j: () => move(1),
  k: () => move(-1),
  a: () => focusIn("[data-key=a]"),
  d: () => focusIn("[data-key=d]"),
  "?": () => document.querySelector<HTMLDialogElement>("#keys")?.showModal(),
};

function isTyping(): boolean {
  const active = document.activeElement;
  return active instanceof HTMLElement && active.matches("input:not([type=checkbox]), textarea, select");
}

function items(): HTMLElement[] {
  return Array.from(document.querySelectorAll<HTMLElement>("[data-item]"));
}

function current(): HTMLElement | null {
  return document.activeElement?.closest<HTMLElement>("[data-item]") ?? null;
}

function move(by: number): void {
  const all = items();
  const here = current();
  const at = here ? all.indexOf(here) + by : by > 0 ? 0 : all.length - 1;
  const next = all[Math.max(0, Math.min(all.length - 1, at))];
  next?.focus();
  next?.scrollIntoView({ block: "nearest" });
}

/** Goes to the button of the item at hand; Enter then does it, so that no single key decides anything. */
function focusIn(selector: string): void {
  const item = current() ?? items()[0];
  item?.querySelector<HTMLElement>(selector)?.focus();
}
