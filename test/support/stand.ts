import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Deployment, type Person } from "./deployment.ts";
import { RecordingOrigin } from "./recording-origin.ts";
import { freeIssuer, type Runtime, type RuntimeOptions, startRuntime } from "./runtime.ts";
import { APPROVER_SCOPES, REQUESTER_SCOPES, testPolicy } from "./test-policy.ts";

/** A gate in front of an origin that records, with somebody who asks and somebody who approves. */
export type Stand = {
  gate: Deployment;
  runtime: Runtime;
  origin: RecordingOrigin;
  requester: Person;
  approver: Person;
  stop(): Promise<void>;
};

/** Nobody listens there; only a token of that issuer would make the gate ask. */
const NO_IDENTITY_PROVIDER = "http://127.0.0.1:9";

/** `change` makes the policy from the tests' own; `more` tells what differs in the runtime. */
export async function standUp(
  change: (policy: ReturnType<typeof testPolicy>) => object | Promise<object> = (policy) => policy,
  identityProvider = NO_IDENTITY_PROVIDER,
  more: (issuer: string) => Partial<RuntimeOptions> = () => ({}),
): Promise<Stand> {
  await using started = new AsyncDisposableStack();
  const stateDir = await mkdtemp(join(tmpdir(), "portcullis-e2e-"));
  started.defer(() => rm(stateDir, { recursive: true }));
  const issuer = await freeIssuer();
  const origin = await RecordingOrigin.start();
  started.defer(() => origin.close());
  const runtime = await startRuntime({ stateDir, issuer, ...more(issuer) });
  started.defer(() => runtime.stop());
  const gate = await Deployment.at(issuer);
  await gate.putPolicy(await change(testPolicy({ origin: origin.url, identityProvider })));
  const [requester, approver] = await Promise.all([
    gate.newPerson(["developer"], REQUESTER_SCOPES),
    gate.newPerson(["approver"], APPROVER_SCOPES),
  ]);
  const stopping = started.move();
  return { gate, runtime, origin, requester, approver, stop: () => stopping.disposeAsync() };
}
