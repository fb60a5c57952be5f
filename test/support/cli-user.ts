import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { PassThrough } from "node:stream";
import { runProgram } from "../../src/cli/run-program.ts";
import type { Browser } from "./browser.ts";

export type CliAnswer = { code: number; out: string; err: string };

/** Opens the page that `login` names, signs in as the browser's person, and answers its question. */
export async function answerDevicePage(
  url: string,
  browser: Browser,
  decision: "allow" | "deny" = "allow",
): Promise<void> {
  const { origin } = new URL(url);
  const page = await browser.open(url);
  const form = Object.fromEntries(
    [...page.text.matchAll(/name="(csrf_token|user_code)" value="([^"]+)"/g)].map(([, name, value]) => [
      name!,
      value!,
    ]),
  );
  await browser.step(`${origin}/session/device`, {
    method: "POST",
    form: { ...form, decision },
    headers: { origin },
  });
}

/** Somebody at a terminal, with a home of their own. */
export class CliUser {
  readonly home: string;
  readonly #environment: Record<string, string>;

  constructor(home: string, environment: Record<string, string>) {
    this.home = home;
    this.#environment = environment;
  }

  static async at(environment: Record<string, string>): Promise<CliUser> {
    return new CliUser(await mkdtemp(join(tmpdir(), "portcullis-cli-")), environment);
  }

  /** Another person's environment, the same home. */
  with(environment: Record<string, string>): CliUser {
    return new CliUser(this.home, { ...this.#environment, ...environment });
  }

  async run(
    args: readonly string[],
    options: {
      stdin?: string;
      signal?: AbortSignal;
      onOutput?: (text: string) => void;
      onError?: (text: string) => void;
    } = {},
  ): Promise<CliAnswer> {
    const written = { out: "", err: "" };
    const sink = (name: "out" | "err") =>
      new PassThrough().on("data", (chunk) => {
        written[name] += String(chunk);
        if (name === "out") options.onOutput?.(written.out);
        else options.onError?.(written.err);
      });
    const stdin = new PassThrough();
    stdin.end(options.stdin ?? "");
    const code = await runProgram(args, "0.0.0", {
      streams: { stdin, stdout: sink("out"), stderr: sink("err") },
      environment: { PATH: process.env.PATH ?? "", HOME: this.home, ...this.#environment },
      signal: options.signal ?? new AbortController().signal,
    });
    // What was written last arrives in a turn of its own.
    await new Promise((resolve) => setImmediate(resolve));
    return { code, ...written };
  }

  async json<T>(args: readonly string[]): Promise<T> {
    const { code, out, err } = await this.run([...args, "--json"]);
    if (code !== 0) throw new Error(`portcullis ${args.join(" ")} ended with ${code}: ${err}`);
    return JSON.parse(out) as T;
  }

  /** Signs in as the browser's person, who confirms the code. */
  async login(issuer: string, browser: Browser, decision: "allow" | "deny" = "allow"): Promise<CliAnswer> {
    const address = Promise.withResolvers<string>();
    const login = this.run(["login", "--issuer", issuer, "--no-browser"], {
      onError: (text) => {
        const found = /Open (\S+)/.exec(text)?.[1];
        if (found !== undefined) address.resolve(found);
      },
    });
    const url = await Promise.race([
      address.promise,
      login.then(({ err }) => Promise.reject(new Error(err))),
    ]);
    await answerDevicePage(url, browser, decision);
    return login;
  }

  async stop(): Promise<void> {
    await rm(this.home, { recursive: true, force: true });
  }
}
