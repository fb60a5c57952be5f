import { expect, it } from "vitest";
import { fixedNames, INVENTORY, kindOf, LEFT_OUT } from "../../../src/backup/inventory.ts";
import { DETECTOR_SHARDS } from "../../../src/edge/notebook.ts";
import { TRAFFIC_SHARDS } from "../../../src/remediation/traffic-shards.ts";
import { OBJECTS } from "../../support/runtime.ts";

it("every kind of object is in a backup, or left out for a reason", () => {
  const kept = Object.fromEntries(INVENTORY.map(({ binding, object }) => [binding, object]));
  const left = Object.entries(OBJECTS).filter(([, object]) => LEFT_OUT[object] !== undefined);
  expect({ ...kept, ...Object.fromEntries(left) }).toEqual(OBJECTS);
  expect(INVENTORY.filter(({ object }) => LEFT_OUT[object] !== undefined)).toEqual([]);
});

it("every shard is read, each once and in an order", () => {
  const shards = (object: string) => fixedNames(kindOf(object)!)!;
  for (const [object, count] of [
    ["TrafficObject", TRAFFIC_SHARDS],
    ["DetectorObject", DETECTOR_SHARDS],
  ] as const) {
    expect(new Set(shards(object))).toEqual(new Set(Array.from({ length: count }, (_, i) => String(i))));
    expect(shards(object)).toEqual(shards(object).toSorted());
  }
  expect(shards("LogObject")).toEqual(["main"]);
  expect(fixedNames(kindOf("SessionObject")!)).toBeUndefined();
  expect(kindOf("SomethingElse")).toBeUndefined();
});

it("the order is the one that loses no revocation and no record", () => {
  const order = INVENTORY.map(({ binding }) => binding);
  const isBefore = (first: string, second: string) => order.indexOf(first) < order.indexOf(second);
  // The index lists nothing that is not there.
  for (const listed of ["SESSION", "ACCESS_REQUEST", "PASSKEY", "SIGNAL_INBOX"]) {
    expect(isBefore("DIRECTORY", listed), listed).toBe(true);
  }
  // Whoever appends to the log is read before it; rules move from the log to the denied tokens.
  for (const teller of ["SESSION", "ACCESS_REQUEST", "SIGNAL_INBOX", "REMEDIATION", "REGISTRY", "KEYRING"]) {
    expect(isBefore(teller, "LOG"), teller).toBe(true);
  }
  expect(isBefore("LOG", "DENYLIST")).toBe(true);
  expect(order.at(-1)).toBe("AUDIT");
});
