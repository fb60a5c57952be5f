import { durationText } from "../duration.ts";

/** Every `[data-until]` counts down by the server's clock. */
export function startCountdowns(): void {
  const served = Number(document.querySelector<HTMLMetaElement>("meta[name=now]")?.content);
  const aheadMs = served * 1000 - Date.now();
  const tick = () => {
    const now = Math.floor((Date.now() + aheadMs) / 1000);
    for (const each of document.querySelectorAll<HTMLElement>("[data-until]")) {
      const left = Number(each.dataset.until) - now;
      const text = left > 0 ? `${durationText(left)} left` : (each.dataset.over ?? "over");
      if (each.textContent !== text) each.textContent = text;
      each.classList.toggle("soon", left > 0 && left < 300);
    }
    for (const each of document.querySelectorAll<HTMLProgressElement>("progress[data-from]"))
      each.value = Math.min(each.max, Math.max(0, now - Number(each.dataset.from)));
  };
  tick();
  setInterval(tick, 1000);
}
