/** A command to take along; scripts add a button that copies it. */
export function Command({ label, text }: { label: string; text: string }) {
  return (
    <figure class="command">
      <figcaption>{label}</figcaption>
      <pre data-copy="">{text}</pre>
    </figure>
  );
}
