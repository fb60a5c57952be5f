/** Every `[data-copy]` gets a button that copies its text. */
export function startCopy(): void {
  for (const source of document.querySelectorAll<HTMLElement>("[data-copy]")) {
    const button = Object.assign(document.createElement("button"), {
      type: "button",
      className: "second",
      textContent: "Copy",
    });
    button.addEventListener("click", async () => {
      await navigator.clipboard.writeText(source.textContent ?? "");
      button.textContent = "Copied";
      setTimeout(() => {
        button.textContent = "Copy";
      }, 2000);
    });
    source.after(button);
  }
}
