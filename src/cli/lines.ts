import { createReadStream } from "node:fs";
import { createGunzip } from "node:zlib";
import { usageFault } from "./failure.ts";

/**
 * The lines of a file, of one that ends in `.gz` as they were before. Lines end with a line feed and with nothing
 * else: a text within JSON may hold every other character that some call an end of a line.
 */
export async function* linesOf(path: string): AsyncGenerator<string> {
  const file = createReadStream(path);
  const bytes = path.endsWith(".gz") ? file.pipe(createGunzip()) : file;
  if (bytes !== file) file.once("error", (fault) => bytes.destroy(fault));
  const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
  let rest: string[] = [];
  try {
    for await (const chunk of bytes) {
      const [first = "", ...others] = decoder.decode(chunk as Buffer, { stream: true }).split("\n");
      rest.push(first);
      for (const next of others) {
        yield rest.join("");
        rest = [next];
      }
    }
  } catch (fault) {
    const { code, message } = fault as NodeJS.ErrnoException;
    throw usageFault(`${path} cannot be read${code === "ENOENT" ? "" : `: ${message}`}.`);
  }
  const last = rest.join("");
  if (last !== "") yield last;
}
