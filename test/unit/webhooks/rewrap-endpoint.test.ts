import { expect, it } from "vitest";
import { EndpointSecrets } from "../../../src/webhooks/endpoint-secret.ts";
import { EndpointRewrapper } from "../../../src/webhooks/rewrap-endpoint.ts";
import { SlackSecretBox } from "../../../src/webhooks/slack-settings.ts";

const OLD = { PORTCULLIS_SECRET: "b2xkLXNlY3JldC1vbmx5LWZvci10aGUtdGVzdHMtMDEx" };
const NEW = { PORTCULLIS_SECRET: "bmV3LXNlY3JldC1vbmx5LWZvci10aGUtdGVzdHMtMDEx" };
const CHANGING = { ...NEW, PORTCULLIS_SECRET_PREVIOUS: OLD.PORTCULLIS_SECRET };
const ID = "whe_1";

async function sealedWithOld() {
  const secrets = new EndpointSecrets(OLD);
  const slack = await new SlackSecretBox(OLD).seal(ID, { signing_secret: "s".repeat(32), approvers: {} });
  return {
    id: ID,
    secrets_sealed: [await secrets.create(ID), await secrets.create(ID, "ed25519")],
    slack,
  };
}

it("seals every secret of an endpoint anew, so that the new secret alone opens them", async () => {
  const before = await sealedWithOld();
  const after = await new EndpointRewrapper(CHANGING).rewrap(before);
  const now = new EndpointSecrets(NEW);
  expect(await now.signers(ID, before.secrets_sealed)).toHaveLength(0);
  expect(await now.signers(ID, after!.secrets_sealed)).toHaveLength(2);
  expect(await now.open(ID, after!.secrets_sealed)).toEqual(
    await new EndpointSecrets(OLD).open(ID, before.secrets_sealed),
  );
  expect(await new SlackSecretBox(NEW).open(ID, after!.slack!)).toEqual({ signing_secret: "s".repeat(32) });
});

it("has nothing to do a second time, nor where no secret is being changed", async () => {
  const before = await sealedWithOld();
  const rewrapper = new EndpointRewrapper(CHANGING);
  const after = (await rewrapper.rewrap(before))!;
  expect(await rewrapper.rewrap({ id: ID, ...after })).toBeUndefined();
  expect(await new EndpointRewrapper(OLD).rewrap(before)).toBeUndefined();
});

it("leaves alone what an endpoint does not have", async () => {
  const { slack: _, ...plain } = await sealedWithOld();
  expect(await new EndpointRewrapper(CHANGING).rewrap(plain)).not.toHaveProperty("slack");
});
