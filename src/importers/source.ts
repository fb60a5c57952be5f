import { parse as parseToml } from "smol-toml";
import { parse as parseYaml } from "yaml";
import type * as z from "zod";
import { err, ok, type Result } from "../protocol/result.ts";

/** Reads a configuration file by its name: `.toml` and `.cfg` as TOML, everything else as YAML, which JSON is as well. */
export function readSource(text: string, fileName: string): Result<unknown, string> {
  try {
    return ok(/\.(?:toml|cfg)$/i.test(fileName) ? parseToml(text) : parseYaml(text));
  } catch (fault) {
    return err(`${fileName}: ${fault instanceof Error ? fault.message : String(fault)}`);
  }
}

/** `path: what is wrong`, one line for each fault. */
export function sourceFaults({ issues }: z.ZodError): string[] {
  return issues.map(({ path, message }) => `${path.join(".") || "(document)"}: ${message}`);
}
