import { spawn } from "node:child_process";
import { chmod, copyFile, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { parse, stringify } from "yaml";
import { isPerson } from "../../src/local/people.ts";
import { type LocalOptions, readOptions } from "../../src/local/places.ts";
import { freePort } from "../../src/local/ports.ts";
import { type Stack, startStack } from "../../src/local/stack.ts";
import { Browser } from "./browser.ts";
import { answerDevicePage } from "./cli-user.ts";
import type { Block } from "./page.ts";

const ROOT = resolve(import.meta.dirname, "../..");
const FIRST_PORT = 23_787;

/** An id as documents show it, `req_…`: the last one of its kind that was printed. */
const SHOWN_ID = /\b([a-z]{3})_…/g;
const SHOWN_KEY = /\b8Zq…/g;

/** What a script printed: all of it, and its standard output alone. */
export type Ran = { code: number; printed: string; out: string };

/**
 * Somebody who does what a document says, block by block, against a local deployment of their own. Blocks of one person
 * share what they exported; everybody shares the folder.
 */
export class Reader {
  readonly stack: Stack;
  readonly #folder: string;
  readonly #elsewhere: Readonly<Record<string, string>>;
  readonly #started: AsyncDisposableStack;
  readonly #exports = new Map<string, string>();
  /** Everything that the blocks printed until now. */
  printed = "";

  private constructor(
    stack: Stack,
    folder: string,
    elsewhere: Readonly<Record<string, string>>,
    started: AsyncDisposableStack,
  ) {
    this.stack = stack;
    this.#folder = folder;
    this.#elsewhere = elsewhere;
    this.#started = started;
  }

  /** `elsewhere` says what stands for addresses of the document that are not of the deployment. */
  static async start(elsewhere: Readonly<Record<string, string>> = {}): Promise<Reader> {
    await using started = new AsyncDisposableStack();
    const folder = await mkdtemp(join(tmpdir(), "portcullis-reader-"));
    started.defer(() => rm(folder, { recursive: true, force: true }));
    const stateDir = join(folder, ".portcullis");
    const port = await freePort(FIRST_PORT);
    const options: LocalOptions = readOptions(["--state-dir", stateDir, "--port", String(port)]);
    const stack = await startStack(options, new AbortController().signal, () => {});
    started.defer(() => stack.stop());
    // `init` leaves secrets that are there as they are: so the deployment that it describes is this one.
    await copyFile(options.places.secretsFile, join(folder, "production.secrets"));
    await mkdir(join(folder, "bin"));
    await writeFile(join(folder, "bin", "npx"), npx(folder));
    await chmod(join(folder, "bin", "npx"), 0o755);
    return new Reader(stack, folder, elsewhere, started.move());
  }

  async stop(): Promise<void> {
    await this.#started.disposeAsync();
  }

  /** What the blocks left in files of such a name. */
  async files(name: RegExp): Promise<string[]> {
    const names = (await readdir(this.#folder)).filter((each) => name.test(each));
    return Promise.all(names.map((each) => readFile(join(this.#folder, each), "utf8")));
  }

  async follow({ language, mark, text }: Block): Promise<Ran | undefined> {
    const [word = "", path = ""] = mark.split("=");
    if (word === "file") await writeFile(join(this.#folder, path), this.#here(text));
    else if (word === "add-to") await this.#add(join(this.#folder, path), parse(this.#here(text)));
    else if (language === "sh" && mark !== "not-run") return this.#run(this.#here(text), mark.split(" ")[0]!);
    return undefined;
  }

  /** The text with the addresses and ids that are meant here. */
  #here(text: string): string {
    const { issuer, origin, identity_provider } = this.stack.running;
    const meant = {
      "http://localhost:8787": issuer,
      "https://auth.example.com": issuer,
      "http://127.0.0.1:8788": origin,
      "https://orders.internal.example": origin,
      "https://idp.example.com": identity_provider,
      ...this.#elsewhere,
    };
    const moved = Object.entries(meant).reduce((all, [from, to]) => all.replaceAll(from, to), text);
    return moved
      .replace(SHOWN_ID, (_shown, kind: string) =>
        this.#lastPrinted(new RegExp(`\\b${kind}_[0-9a-z]{26}\\b`, "g")),
      )
      .replace(SHOWN_KEY, () => this.#lastPrinted(/^[\w-]{43}(?= +access_token +current$)/gm));
  }

  #lastPrinted(pattern: RegExp): string {
    const found = this.printed.match(pattern)?.at(-1);
    if (found === undefined) throw new Error(`Nothing like ${pattern} was printed before:\n${this.printed}`);
    return found;
  }

  /** Lists grow, and what has an `id` that is there takes its place; tables are put together. */
  async #add(file: string, more: Record<string, unknown>): Promise<void> {
    const before = (await readFile(file, "utf8").then(parse, () => this.#policyInForce())) as typeof more;
    const after = { ...before };
    for (const [name, value] of Object.entries(more)) {
      const known = before[name];
      if (!Array.isArray(value)) after[name] = { ...(known as object), ...(value as object) };
      else {
        const ids = new Set(value.map(({ id }) => id));
        after[name] = [...((known ?? []) as { id: string }[]).filter(({ id }) => !ids.has(id)), ...value];
      }
    }
    await writeFile(file, stringify(after));
  }

  /** What `policy show` prints, where the document leaves this step to the reader. */
  async #policyInForce(): Promise<unknown> {
    const { printed, out, code } = await this.#sh(
      `set -a; . ./production.secrets; set +a
       PORTCULLIS_CLIENT_ID=operator PORTCULLIS_CLIENT_SECRET=$PORTCULLIS_OPERATOR_SECRET \
         npx portcullis policy show --issuer ${this.stack.running.issuer}`,
    );
    if (code !== 0) throw new Error(printed);
    return parse(out);
  }

  async #run(script: string, who: string): Promise<Ran> {
    const before = this.#exports.get(who) ?? "";
    const exporting = script.match(/^(?:export |set -a).*$/gm) ?? [];
    this.#exports.set(who, [before, ...exporting].join("\n"));
    const ran = await this.#sh(`${before}\n${script}`, isPerson(who) ? new Browser(who) : undefined);
    this.printed += ran.printed;
    return ran;
  }

  #sh(script: string, browser?: Browser): Promise<Ran> {
    const { PATH } = process.env;
    const surroundings = {
      PATH: `${join(this.#folder, "bin")}:${PATH}`,
      ...{ HOME: this.#folder, NO_COLOR: "1" },
      // Half of what a command takes is to read the program anew.
      NODE_COMPILE_CACHE: join(ROOT, "node_modules/.cache/portcullis-cli"),
    };
    const child = spawn("sh", ["-e", "-c", script], {
      cwd: this.#folder,
      env: surroundings as unknown as NodeJS.ProcessEnv,
      stdio: ["ignore", "pipe", "pipe"],
    });
    let printed = "";
    let out = "";
    let answered = false;
    const take = (part: Buffer) => {
      printed += String(part);
      const address = /Open (\S+)/.exec(printed)?.[1];
      if (answered || address === undefined || browser === undefined) return;
      answered = true;
      void answerDevicePage(address, browser);
    };
    child.stdout.on("data", (part: Buffer) => {
      out += String(part);
      take(part);
    });
    child.stderr.on("data", take);
    return new Promise((done, fail) => {
      child.once("error", fail);
      child.once("close", (code) => done({ code: code ?? -1, printed, out }));
    });
  }
}

/** `npx` as in a clone after `npm ci`; a deployment is built and checked, and not sent. */
function npx(folder: string): string {
  return `#!/bin/sh
command=$1
shift
case $command in
  portcullis) exec "${process.execPath}" "${ROOT}/src/cli/main.ts" "$@" ;;
  wrangler)
    export CLOUDFLARE_CF_FETCH_ENABLED=false WRANGLER_SEND_METRICS=false WRANGLER_WRITE_LOGS=false
    exec "${ROOT}/node_modules/.bin/wrangler" "$@" --dry-run --config "${ROOT}/wrangler.toml" --outdir "${folder}/bundle" ;;
  *) echo "npx $command: not in a clone" >&2; exit 127 ;;
esac
`;
}
