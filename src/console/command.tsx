/** A command to take along; scripts add a button that copies it. */
export function Command({ label, text }: { label: string; text: string }) {
  return (
    <figure class="command">
      <figcaption>{label}</figcaption>
      <pre data-copy="">{text}</pre>
    </figure>
  );
}

type FromShellProps = {
  label: string;
  /** For our own command line. */
  portcullis: string;
  /** The call of the HTTP contract that it makes. */
  curl: string;
};

/** What a page does, as a command; folded away, the call that it makes. */
export function FromShell({ label, portcullis, curl }: FromShellProps) {
  return (
    <>
      <Command label={label} text={portcullis} />
      <details>
        <summary>The same with curl</summary>
        <Command label={`${label}, with curl`} text={curl} />
      </details>
    </>
  );
}
