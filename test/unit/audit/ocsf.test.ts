import { expect, it } from "vitest";
import { ocsfEvent } from "../../../src/audit/ocsf.ts";
import { AUDIT_TYPES, type AuditType } from "../../../src/protocol/audit-record.ts";

const record = (type: AuditType, over: object = {}) => ({
  ...{ seq: 41, id: "evt_1", at: 1_800_000_000, type, source: "access_request/req_1", request_id: "dec_1" },
  ...{ actor: { subject: "corp|olivia", client_id: "cli_1" }, about: "corp|alice", reason: "over" },
  ...{ call: "POST /v1/grants/:id/revoke", data: { resource: "orders", scope: ["orders:read"] } },
  ...over,
});

it("makes an event of every type of record, with what OCSF demands of each", () => {
  for (const type of AUDIT_TYPES) {
    const event = ocsfEvent(record(type));
    const { class_uid, activity_id } = event as { class_uid: number; activity_id: number };
    expect(event.type_uid).toBe(class_uid * 100 + activity_id);
    expect([3002, 3004, 3005, 6003]).toContain(class_uid);
    expect(event).toMatchObject({
      ...{ time: 1_800_000_000_000, activity_name: type, message: "over" },
      category_uid: Math.floor(class_uid / 1000),
      actor: { user: { uid: "corp|olivia" }, app_name: "cli_1" },
      metadata: { version: "1.1.0", uid: "evt_1", sequence: 41, correlation_uid: "dec_1" },
    });
    const needed = { 3002: ["user", "service"], 3004: ["entity"], 3005: ["user", "privileges"] }[class_uid];
    for (const member of needed ?? ["actor", "api", "src_endpoint"]) expect(event).toHaveProperty(member);
  }
});

it("tells what gives access from what takes it, and what failed from what was done", () => {
  const kind = (type: AuditType) => {
    const { class_uid, activity_id, status_id } = ocsfEvent(record(type));
    return [class_uid, activity_id, status_id];
  };
  expect(kind("access_request.approved")).toEqual([3005, 1, 1]);
  expect(kind("grant.revoked")).toEqual([3005, 2, 1]);
  expect(kind("session.opened")).toEqual([3002, 1, 1]);
  expect(kind("client.created")).toEqual([3004, 1, 1]);
  expect(kind("client.updated")).toEqual([3004, 3, 1]);
  expect(kind("client.deleted")).toEqual([3004, 4, 1]);
  expect(kind("call.refused")).toEqual([6003, 99, 2]);
});

it("says where from, and nothing of what was erased", () => {
  const from = { country: "CH", asn: 559 };
  expect(ocsfEvent(record("call.refused", { from, data: { status: 401 } }))).toMatchObject({
    src_endpoint: { location: { country: "CH" }, autonomous_system: { number: 559 } },
    api: { operation: "POST /v1/grants/:id/revoke", response: { code: 401 } },
  });
  const { actor: _a, about: _b, reason: _c, ...rest } = record("session.opened");
  expect(ocsfEvent(rest)).toMatchObject({ actor: { user: { uid: "unknown" } }, user: { uid: "unknown" } });
  expect(ocsfEvent(rest)).not.toHaveProperty("message");
});
