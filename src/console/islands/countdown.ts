const UNITS = [
  ["d", 86_400],
  ["h", 3_600],
  ["min", 60],
  ["s", 1],
] as const;

/** Every `[data-until]` counts down by the server's clock. */
export function startCountdowns(): void {
  const served = Number(document.querySelector<HTMLMetaElement>("meta[name=now]")?.content);
  const aheadMs = served * 1000 - Date.now();
  const tick = () => {
    const now = Math.floor((Date.now() + aheadMs) / 1000);
    for (const each of document.querySelectorAll<HTMLElement>("[data-until]")) {
      const left = Number(each.dataset.until) - now;
      const text = left > 0 ? `${lengthText(left)} left` : (each.dataset.over ?? "over");
      if (each.textContent !== text) each.textContent = text;
      each.classList.toggle("soon", left > 0 && left < 300);
    }
    for (const each of document.querySelectorAll<HTMLProgressElement>("progress[data-from]"))
      each.value = Math.min(each.max, Math.max(0, now - Number(each.dataset.from)));
  };
  tick();
  setInterval(tick, 1000);
}

function lengthText(seconds: number): string {
  let left = seconds;
  const first = UNITS.findIndex(([, size]) => left >= size);
  const parts: string[] = [];
  for (const [unit, size] of UNITS.slice(first, first + 2)) {
    const count = Math.floor(left / size);
    left -= count * size;
    if (count > 0) parts.push(`${count} ${unit}`);
  }
  return parts.join(" ");
}
