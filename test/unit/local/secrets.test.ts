import { execFile } from "node:child_process";
import { mkdtemp, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { parseEnv, promisify } from "node:util";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { ensureSecrets, newSecrets } from "../../../src/local/secrets.ts";

const SECRET = /^[A-Za-z0-9_-]{43}$/;
let folder: string;
let file: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "portcullis-secrets-"));
  file = join(folder, ".dev.vars");
});
afterEach(() => rm(folder, { recursive: true }));

describe("ensureSecrets", () => {
  it("makes two different secrets of 256 bits in a file for the owner alone", async () => {
    const { secrets, made } = await ensureSecrets(file);
    expect(made).toBe(true);
    expect(secrets.PORTCULLIS_SECRET).toMatch(SECRET);
    expect(secrets.PORTCULLIS_OPERATOR_SECRET).toMatch(SECRET);
    expect(secrets.PORTCULLIS_SECRET).not.toBe(secrets.PORTCULLIS_OPERATOR_SECRET);
    expect((await stat(file)).mode & 0o777).toBe(0o600);
    expect(parseEnv(await readFile(file, "utf8"))).toEqual(secrets);
  });

  it("keeps what is there, byte for byte", async () => {
    const first = await ensureSecrets(file);
    const text = await readFile(file, "utf8");
    const second = await ensureSecrets(file);
    expect(second).toEqual({ secrets: first.secrets, made: false });
    expect(await readFile(file, "utf8")).toBe(text);
  });

  it("fills what is empty or missing, keeps other lines, and closes the file to others", async () => {
    await writeFile(file, "# mine\nOTHER=1\nPORTCULLIS_SECRET=\n", { mode: 0o644 });
    const { secrets, made } = await ensureSecrets(file);
    expect(made).toBe(true);
    const text = await readFile(file, "utf8");
    expect(text.startsWith(`# mine\nOTHER=1\nPORTCULLIS_SECRET=${secrets.PORTCULLIS_SECRET}\n`)).toBe(true);
    expect(parseEnv(text)).toEqual({ OTHER: "1", ...secrets });
    expect((await stat(file)).mode & 0o777).toBe(0o600);
  });

  it("keeps a value of the user's and makes only the other", async () => {
    await writeFile(file, "PORTCULLIS_SECRET=chosen-by-the-user");
    const { secrets } = await ensureSecrets(file);
    expect(secrets.PORTCULLIS_SECRET).toBe("chosen-by-the-user");
    expect(secrets.PORTCULLIS_OPERATOR_SECRET).toMatch(SECRET);
  });
});

describe("the command", () => {
  const run = promisify(execFile);
  const command = resolve(import.meta.dirname, "../../../src/local/secrets.ts");

  it("prints a fresh pair in .env format, another one each time", async () => {
    const outputs = await Promise.all([run(process.execPath, [command]), run(process.execPath, [command])]);
    const [one, two] = outputs.map(({ stdout }) => parseEnv(stdout));
    expect(Object.keys(one!).sort()).toEqual(Object.keys(newSecrets()).sort());
    expect(Object.values({ ...one }).every((value) => SECRET.test(value!))).toBe(true);
    expect(one).not.toEqual(two);
  });
});
