import { chmod, mkdir, open, readFile, rename, rm, stat } from "node:fs/promises";
import { homedir } from "node:os";
import { dirname, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import * as z from "zod";
import { CliFailure, EXIT } from "./failure.ts";
import type { Environment } from "./terminal.ts";

const sessionSchema = z.object({
  refresh_token: z.string(),
  access_token: z.string(),
  /** Epoch seconds. */
  expires_at: z.number(),
  subject: z.string(),
});
const keyringSchema = z.object({
  version: z.literal(1),
  /** The deployment of the last sign-in. */
  current: z.string().optional(),
  /** By issuer. */
  sessions: z.record(z.string(), sessionSchema),
});

export type StoredSession = z.output<typeof sessionSchema>;
type Keyring = z.output<typeof keyringSchema>;

const EMPTY: Keyring = { version: 1, sessions: {} };
const OTHERS_BITS = 0o077;
const LOCK_WAIT_MS = 100;
/** A lock this old was left behind by a command that was killed. */
const STALE_LOCK_MS = 30_000;

/** The sign-ins of this person on this machine, in a file that only they can read. */
export class KeyringFile {
  readonly path: string;

  constructor(environment: Environment) {
    const base = environment.XDG_CONFIG_HOME ?? join(environment.HOME ?? homedir(), ".config");
    this.path = environment.PORTCULLIS_KEYRING ?? join(base, "portcullis", "keyring.json");
  }

  async read(): Promise<Keyring> {
    let text: string;
    try {
      const { mode } = await stat(this.path);
      if (process.platform !== "win32" && (mode & OTHERS_BITS) !== 0) {
        throw new CliFailure(
          `${this.path} can be read by others, so it is not used.`,
          EXIT.usage,
          `chmod 600 ${this.path}`,
        );
      }
      text = await readFile(this.path, "utf8");
    } catch (fault) {
      if ((fault as NodeJS.ErrnoException).code === "ENOENT") return EMPTY;
      throw fault;
    }
    const parsed = keyringSchema.safeParse(parseJson(text));
    if (parsed.success) return parsed.data;
    throw new CliFailure(
      `${this.path} is not a keyring.`,
      EXIT.usage,
      `Move it away and sign in again: portcullis login`,
    );
  }

  /** Changes one session, with nobody else in between; `change` may take as long as a call does. */
  async change(
    issuer: string,
    change: (session: StoredSession | undefined) => Promise<StoredSession | undefined>,
    options: { makeCurrent?: boolean } = {},
  ): Promise<StoredSession | undefined> {
    await mkdir(dirname(this.path), { recursive: true, mode: 0o700 });
    const unlock = await this.#lock();
    try {
      const keyring = await this.read();
      const session = await change(keyring.sessions[issuer]);
      const { [issuer]: _before, ...others } = keyring.sessions;
      const sessions = session ? { ...others, [issuer]: session } : others;
      const current = options.makeCurrent ? issuer : keyring.current;
      const kept = current !== undefined && current in sessions ? { current } : {};
      await this.#write({ version: 1, ...kept, sessions });
      return session;
    } finally {
      await unlock();
    }
  }

  /** Whole, or not at all. */
  async #write(keyring: Keyring): Promise<void> {
    const temporary = `${this.path}.${process.pid}`;
    const file = await open(temporary, "w", 0o600);
    try {
      await file.writeFile(`${JSON.stringify(keyring, null, 2)}\n`);
    } finally {
      await file.close();
    }
    await chmod(temporary, 0o600);
    await rename(temporary, this.path);
  }

  /** A refresh token is spent once: two commands at once must not both spend it. */
  async #lock(): Promise<() => Promise<void>> {
    const path = `${this.path}.lock`;
    for (;;) {
      try {
        await (await open(path, "wx", 0o600)).close();
        return () => rm(path, { force: true });
      } catch (fault) {
        if ((fault as NodeJS.ErrnoException).code !== "EEXIST") throw fault;
      }
      const since = await stat(path).then(
        ({ mtimeMs }) => mtimeMs,
        () => Date.now(),
      );
      if (Date.now() - since > STALE_LOCK_MS) await rm(path, { force: true });
      await sleep(LOCK_WAIT_MS);
    }
  }
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
