import { beforeAll, describe, expect, it } from "vitest";
import type { AuditEntry } from "../../../src/protocol/audit-record.ts";
import { type AuditVerdict, verifyExport } from "../../../src/protocol/audit-verifier.ts";
import { base64, utf8 } from "../../../src/protocol/encoding.ts";
import { leafHash } from "../../../src/protocol/merkle.ts";
import { verifierKey } from "../../../src/protocol/signed-note.ts";
import { exportOf, type LogKey, newLogKey, nodeSha256, someEntries } from "../../support/audit-log.ts";
import { MUTATIONS } from "../../support/audit-mutations.ts";
import { seededRandom } from "../../support/token-factory.ts";

const RECORDS = 40;
/** `test/long` has ten thousand of them. */
const ROUNDS = Number(process.env.MUTATIONS ?? 300);

let key: LogKey;
let whole: string[];
let held: string;

beforeAll(async () => {
  key = await newLogKey();
  whole = await exportOf(someEntries(RECORDS), key);
  held = await verifierKey(key);
});

const verify = (lines: string[], options = {}): Promise<AuditVerdict> =>
  verifyExport(lines, { verifierKey: held, sha256: nodeSha256, ...options });
const noteAt = (lines: string[], size: number): string =>
  lines
    .flatMap((line) => ("checkpoint" in JSON.parse(line) ? [JSON.parse(line).checkpoint] : []))
    .find((note) => note.split("\n")[1] === String(size));
const broken = async (lines: string[], options = {}) => {
  const verdict = await verify(lines, options);
  if (verdict.intact) throw new Error("found nothing");
  return verdict;
};
const lineOf = (seq: number) => whole.findIndex((line) => line.startsWith(`{"seq":${seq},`));

describe("an export", () => {
  it("that is whole is said to be", async () => {
    expect(await verify(whole)).toEqual({
      ...{ intact: true, origin: "auth.example.com/v1/audit", from: 0, size: RECORDS },
      ...{ pruned: 0, erased: 0, checkpoints: 4 },
    });
    expect(await verify(whole, { anchors: [noteAt(whole, 10), noteAt(whole, 40)] })).toMatchObject({
      intact: true,
    });
    expect(await verifyExport(whole)).toMatchObject({ intact: true });
  });

  it.each(Object.keys(MUTATIONS) as (keyof typeof MUTATIONS)[])("is found out after: %s", async (kind) => {
    const random = seededRandom(kind.length);
    for (let round = 0; round < ROUNDS / 5; round++) {
      const mutated = MUTATIONS[kind](whole, random);
      if (!mutated || mutated.lines.join("\n") === whole.join("\n")) continue;
      const verdict = await verify(mutated.lines);
      expect(verdict.intact, `${kind} ${round}`).toBe(false);
      if ("firstSeq" in mutated) expect(verdict).toMatchObject({ seq: mutated.firstSeq });
    }
  });

  it("names the record whose text was changed, the one that is gone, and the one that came twice", async () => {
    const text = whole.with(lineOf(17), whole[lineOf(17)]!.replace("grt_17", "grt_99"));
    expect(await broken(text)).toMatchObject({ seq: 17, line: lineOf(17) + 1 });
    const said = whole.with(lineOf(18), whole[lineOf(18)]!.replace("the ticket is closed", "no reason"));
    expect(await broken(said)).toMatchObject({ seq: 18, fault: expect.stringContaining('"reason"') });
    expect(await broken(whole.toSpliced(lineOf(19), 1))).toMatchObject({ seq: 19 });
    expect(await broken(whole.toSpliced(lineOf(21), 0, whole[lineOf(20)]!))).toMatchObject({ seq: 21 });
    expect(await broken(whole.slice(0, lineOf(33)))).toMatchObject({ seq: 33 });
  });

  it("is found out where records were forged with hashes that fit, by the checkpoint that follows", async () => {
    const line = JSON.parse(whole[lineOf(25)]!);
    const leaf = line.leaf.replace("grt_25", "grt_99");
    const leaf_hash = base64(await leafHash(utf8(leaf), nodeSha256));
    const forged = whole.with(lineOf(25), JSON.stringify({ ...line, leaf_hash, leaf }));
    expect(await broken(forged)).toMatchObject({ seq: 20, until: 29 });
  });

  it("is found out where the log was forked by somebody who has no key, or another one", async () => {
    const other = await newLogKey();
    const entries = someEntries(RECORDS).map((entry, i) => (i < 15 ? entry : { ...entry, reason: "forged" }));
    const fork = await exportOf(entries, other);
    expect(await broken(fork)).toMatchObject({ seq: 0 });
    const named = fork.with(0, whole[0]!);
    expect(await broken(named)).toMatchObject({ fault: expect.stringContaining("signature") });
  });

  it("is found out where somebody with the key has forked or rolled back, by a checkpoint that was kept", async () => {
    const entries = someEntries(RECORDS).map((entry, i) => (i < 15 ? entry : { ...entry, reason: "forged" }));
    const fork = await exportOf(entries, key);
    expect(await verify(fork)).toMatchObject({ intact: true });
    expect(await broken(fork, { anchors: [noteAt(whole, 30)] })).toMatchObject({ seq: 20, until: 29 });
    const short = await exportOf(someEntries(20), key);
    expect(await verify(short, { anchors: [noteAt(whole, 20)] })).toMatchObject({ intact: true });
    expect(await broken(short, { anchors: [noteAt(whole, 40)] })).toMatchObject({ seq: 20 });
  });

  it("goes on after a backup was restored, from wherever objects were then, and without a gap from there", async () => {
    const restored: AuditEntry = {
      ...{ id: "evt_restored", at: 1_800_000_100, type: "backup.restored", source: "control" },
      ...{ actor: { subject: "portcullis" }, data: { backup: "bak_1" } },
    };
    const before = someEntries(12);
    const again = someEntries(12)
      .slice(6)
      .map((entry) => ({ ...entry, id: `${entry.id}_again` }));
    expect(await verify(await exportOf([...before, restored, ...again], key))).toMatchObject({
      intact: true,
    });
    expect(await broken(await exportOf([...before, ...again], key))).toMatchObject({ seq: 12 });
    // Of session/ses_0, whose third record comes first since, the fourth is not there.
    const more = someEntries(24).slice(12);
    const gap = await exportOf([...before, restored, ...again.slice(0, 3), ...more], key);
    expect(await broken(gap)).toMatchObject({ seq: 16, fault: expect.stringContaining("is not here") });
  });

  it("has no gap in what an object has noted", async () => {
    const entries = someEntries(RECORDS).filter(
      ({ source, source_seq }) => source !== "session/ses_1" || source_seq !== 4,
    );
    const gap = await exportOf(entries, key);
    expect(await broken(gap)).toMatchObject({
      seq: 12,
      fault: "the record 4 of session/ses_1 is not here; 5 follows",
    });
    const late = await exportOf(someEntries(RECORDS).slice(3), key);
    expect(await broken(late)).toMatchObject({ seq: 0 });
  });

  it("lacks a text or a member only where the log itself says so", async () => {
    const textless = whole.with(1, JSON.stringify({ seq: 0, leaf_hash: JSON.parse(whole[1]!).leaf_hash }));
    expect(await broken(textless)).toMatchObject({ seq: 0, fault: expect.stringContaining("retention") });
    const line = JSON.parse(whole[lineOf(9)]!);
    const { about: _gone, ...disclosures } = line.disclosures;
    const silent = whole.with(lineOf(9), JSON.stringify({ ...line, disclosures }));
    expect(await broken(silent)).toMatchObject({
      seq: 9,
      fault: expect.stringContaining('"about" is missing'),
    });
    const more = { ...line.disclosures, from: ["salt", { country: "CH" }] };
    const invented = whole.with(lineOf(9), JSON.stringify({ ...line, disclosures: more }));
    expect(await broken(invented)).toMatchObject({
      seq: 9,
      fault: expect.stringContaining("does not commit"),
    });
  });

  it("is written in one way: a member more, or the same in other spelling, is not the export", async () => {
    const line = JSON.parse(whole[lineOf(5)]!);
    expect(await broken(whole.with(lineOf(5), JSON.stringify({ ...line, note: "x" })))).toMatchObject({
      seq: 5,
    });
    expect(await broken(whole.with(lineOf(5), `${whole[lineOf(5)]} `))).toMatchObject({ seq: 5 });
    expect(await broken([])).toMatchObject({ seq: 0 });
  });
});
