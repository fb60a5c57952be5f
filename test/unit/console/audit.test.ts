import { describe, expect, it } from "vitest";
import { actorText, readMoment, typeText } from "../../../src/console/audit-page.tsx";
import { faultOfProof } from "../../../src/console/audit-proof.ts";
import { base64, sha256Bytes, utf8 } from "../../../src/protocol/encoding.ts";
import { leafHash } from "../../../src/protocol/merkle.ts";
import { checkpointText, signedNote, verifierKey } from "../../../src/protocol/signed-note.ts";
import { NOW } from "./samples.ts";
import { world } from "./world.ts";

const NAME = "gate.example/v1/audit";

/** A log of two records, its key, and the proof that the first is in it. */
async function smallLog() {
  const pair = (await crypto.subtle.generateKey("Ed25519", true, ["sign", "verify"])) as CryptoKeyPair;
  const publicKey = new Uint8Array((await crypto.subtle.exportKey("raw", pair.publicKey)) as ArrayBuffer);
  const key = { name: NAME, publicKey };
  const [first, second] = await Promise.all(["a", "b"].map((text) => leafHash(utf8(text), sha256Bytes)));
  const rootHash = await sha256Bytes(new Uint8Array([1, ...first!, ...second!]));
  const text = checkpointText({ origin: NAME, size: 2, rootHash });
  const signature = new Uint8Array(await crypto.subtle.sign("Ed25519", pair.privateKey, utf8(text)));
  const proof = {
    ...{ seq: 0, size: 2, leaf_hash: base64(first!), root_hash: base64(rootHash) },
    ...{ hashes: [base64(second!)], checkpoint: await signedNote(text, key, signature) },
  };
  return { proof, key: await verifierKey(key) };
}

const RECORD = {
  ...{ seq: 0, id: "evt_1", at: NOW, type: "grant.revoked", source: "access_request/req_1" },
  ...{ actor: { subject: "corp|olivia" }, about: "corp|alice", reason: "the ticket is closed" },
};

async function auditor(answers: Record<string, unknown> = {}) {
  const { proof, key } = await smallLog();
  return world({
    scope: "audit:read",
    answers: {
      "GET /v1/audit/events": { items: [RECORD] },
      "GET /v1/audit/proof": proof,
      "GET /v1/audit/key": new Response(`${key}\n`),
      ...answers,
    },
  });
}

describe("the proof of a record", () => {
  it("holds where its hashes lead to the root that the key has signed", async () => {
    const { proof, key } = await smallLog();
    expect(await faultOfProof(proof, `${key}\n`)).toBeUndefined();
  });

  it.each([
    ["another record", { leaf_hash: base64(new Uint8Array(32)) }, "lead to the signed root"],
    ["another place", { seq: 1 }, "lead to the signed root"],
    ["a path that is too short", { hashes: [] }, "lead to the signed root"],
    ["a checkpoint that was changed", { checkpoint: `${NAME}\n3\nAAAA\n\n— x y\n` }, "no signature"],
    ["what is no hash", { hashes: ["%"] }, "no base64"],
  ])("does not hold for %s", async (_what, change, fault) => {
    const { proof, key } = await smallLog();
    expect(await faultOfProof({ ...proof, ...change }, key)).toContain(fault);
  });

  it("does not hold under another key", async () => {
    const [one, other] = [await smallLog(), await smallLog()];
    expect(await faultOfProof(one.proof, other.key)).toContain("no signature");
    expect(await faultOfProof(one.proof, "no key")).toBe("the verifier key is none");
  });

  it("is shown with the record, whether it holds or not", async () => {
    const { open, asked } = await auditor();
    const text = await (await open("/console/audit/0")).text();
    expect(asked.map(({ path }) => path)).toContain("/v1/audit/events?cursor=1&limit=1");
    expect(text).toContain("Record 0 is in the log of 2 records");
    expect(text).toContain("the ticket is closed");
    const { proof } = await smallLog();
    const forged = await (await auditor({ "GET /v1/audit/proof": proof })).open("/console/audit/0");
    expect(await forged.text()).toContain("The proof does not hold");
  });

  it("is not shown where the text is gone", async () => {
    const { open } = await auditor({ "GET /v1/audit/events": { items: [] } });
    expect((await open("/console/audit/0")).status).toBe(410);
    expect((await open("/console/audit/x")).status).toBe(404);
  });
});

describe("the list of records", () => {
  it("is narrowed by what, who, whom and time", async () => {
    const { open, asked } = await auditor();
    const path = "/console/audit?type=grant.*&actor=corp%7Colivia&since=2026-11-22T10%3A00&until=";
    const text = await (await open(path)).text();
    const query = new URLSearchParams(asked.at(-1)!.path.split("?")[1]);
    expect(Object.fromEntries(query)).toEqual({
      ...{ type: "grant.*", actor: "corp|olivia", since: "1795341600", limit: "50" },
    });
    expect(text).toContain('href="/console/audit/0"');
    expect(text).toContain('value="2026-11-22T10:00"');
  });

  it("is handed out as a file, in a format of the closed list", async () => {
    const { open, asked } = await auditor({ "GET /v1/audit/export": new Response('{"a":1}\n') });
    const answer = await open("/console/audit/export?format=ocsf");
    expect(answer.headers.get("content-disposition")).toBe('attachment; filename="audit-ocsf.ndjson"');
    expect(await answer.text()).toBe('{"a":1}\n');
    await open("/console/audit/export?format=%0d%0ax");
    expect(asked.at(-1)!.path).toBe("/v1/audit/export?format=ndjson");
  });
});

describe("a record in words", () => {
  it("says what and who", () => {
    expect(typeText("access_request.review_refused")).toBe("Access request: review refused");
    expect(typeText("grant.*")).toBe("Grant: all");
    expect(actorText({ subject: "ann", client_id: "cli_1", actors: ["agent"] })).toBe(
      "ann, through agent, cli_1",
    );
    expect(actorText({ subject: "cli_1", client_id: "cli_1" })).toBe("cli_1");
  });

  it("reads a moment as UTC, and nothing else", () => {
    expect(readMoment("2026-11-22T10:00")).toBe(1_795_341_600);
    for (const bad of [undefined, "", "now", "2026-13-22T10:00", "1795341600"])
      expect(readMoment(bad)).toBeUndefined();
  });
});
