import { beforeEach, describe, expect, it } from "vitest";
import { err, ok } from "../../../src/protocol/result.ts";
import {
  type BindingDemand,
  bindingOAuthError,
  bindingOf,
  bindingProblem,
  tokenTypeOf,
} from "../../../src/tokens/sender-binding.ts";
import { EdgeWorld, ISSUER, policyOf } from "../../support/edge-world.ts";
import { proofOf, thumbprintOf } from "../../support/proof-factory.ts";
import { newKey, type TestKey } from "../../support/token-factory.ts";

const TOKEN_URL = `${ISSUER}/oauth/token`;
const CERTIFICATE = {
  certPresented: "1",
  certVerified: "SUCCESS",
  certRevoked: "0",
  certFingerprintSHA256: "00".repeat(32),
};
const X5T = "A".repeat(43);

let world: EdgeWorld;
let key: TestKey;
let jkt: string;

beforeEach(async () => {
  [world, key] = await Promise.all([EdgeWorld.create(policyOf([])), newKey("ES256", "k")]);
  jkt = await thumbprintOf(key);
});

const proof = (claims = {}) =>
  proofOf(key, { method: "POST", url: TOKEN_URL, nowSeconds: world.nowMs / 1000, claims });

function bind(dpop: string | undefined, demand: Partial<BindingDemand> = {}, tlsClientAuth?: unknown) {
  const headers = new Headers(dpop === undefined ? {} : { dpop });
  const sender = { method: "POST", url: TOKEN_URL, headers, cf: { tlsClientAuth } };
  return bindingOf(sender, { nonceNeeded: false, ...demand }, world.proofs);
}

describe("what a token is bound to", () => {
  it("is the key of the proof that it is asked for with, or nothing", async () => {
    expect(await bind(await proof())).toEqual(ok({ confirmation: { jkt } }));
    expect(await bind(undefined)).toEqual(ok({}));
    expect([tokenTypeOf({ jkt }), tokenTypeOf(undefined), tokenTypeOf({ "x5t#S256": X5T })]).toEqual([
      "DPoP",
      "Bearer",
      "Bearer",
    ]);
  });

  it("is never less than was asked for: a bad proof is an error, not a bearer token", async () => {
    expect(await bind("")).toEqual(err("missing"));
    expect(await bind("x")).toEqual(err("malformed"));
    expect(await bind(await proof({ htm: "GET" }))).toEqual(err("method"));
    expect(await bind(await proof({ htu: ISSUER }))).toEqual(err("target"));
    expect(await bind(`${await proof()}, ${await proof()}`)).toEqual(err("several"));
    const once = await proof();
    expect(await bind(once)).toMatchObject({ ok: true });
    expect(await bind(once)).toEqual(err("replayed"));
  });

  it("is a must for a client that is registered so", async () => {
    expect(await bind(undefined, { mustProve: true })).toEqual(err("no_proof"));
    expect(await bind(await proof(), { mustProve: true })).toEqual(ok({ confirmation: { jkt } }));
    expect(await bind(undefined, { certificate: true })).toEqual(err("no_certificate"));
    expect(await bind(undefined, { certificate: true }, CERTIFICATE)).toEqual(
      ok({ confirmation: { "x5t#S256": X5T } }),
    );
    const unverified = { ...CERTIFICATE, certVerified: "FAILED:self signed certificate" };
    expect(await bind(undefined, { certificate: true }, unverified)).toEqual(err("no_certificate"));
  });

  it("is no certificate that merely happens to be there, and both where both are asked for", async () => {
    expect(await bind(undefined, {}, CERTIFICATE)).toEqual(ok({}));
    expect(await bind(await proof(), { certificate: true }, CERTIFICATE)).toEqual(
      ok({ confirmation: { jkt, "x5t#S256": X5T } }),
    );
  });

  it("comes with the nonce to use from now on", async () => {
    expect(await bind(await proof(), { nonceNeeded: true })).toEqual(err("nonce"));
    const nonce = await world.proofs.currentNonce();
    expect(await bind(await proof({ nonce }), { nonceNeeded: true })).toEqual(ok({ confirmation: { jkt } }));
    world.nowMs += 120_000;
    const later = await bind(await proof({ nonce }), { nonceNeeded: true });
    expect(later).toEqual(ok({ confirmation: { jkt }, nextNonce: await world.proofs.currentNonce() }));
  });
});

describe("what a client is told", () => {
  it("is an error of RFC 9449, with the nonce where that is what is missing", async () => {
    expect(await bindingOAuthError("nonce", world.proofs)).toMatchObject({
      error: "use_dpop_nonce",
      dpopNonce: await world.proofs.currentNonce(),
    });
    expect(await bindingOAuthError("signature", world.proofs)).toMatchObject({ error: "invalid_dpop_proof" });
    expect(await bindingOAuthError("no_proof", world.proofs)).toMatchObject({ error: "invalid_dpop_proof" });
    expect(await bindingOAuthError("no_certificate", world.proofs)).toMatchObject({
      error: "invalid_request",
    });
    expect(bindingProblem("replayed")).toMatchObject({ code: "invalid_request" });
  });
});
