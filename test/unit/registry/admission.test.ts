import { describe, expect, it } from "vitest";
import { ClientAdmission, FAILURE_RATE, REQUEST_RATE } from "../../../src/registry/admission.ts";

const NOW = 1_700_000_000_000;
const HERE = "192.0.2.1";

function failing(times: number, id = "cli_1", address = HERE): ClientAdmission {
  const admission = new ClientAdmission();
  for (let i = 0; i < times; i++) admission.failed(id, address, NOW);
  return admission;
}

describe("failed authentications", () => {
  it("lock a client at an address after ten, and let one more be tried six seconds later", () => {
    const admission = failing(FAILURE_RATE.burst - 1);
    expect(admission.lockedSeconds("cli_1", HERE, NOW)).toBeUndefined();
    admission.failed("cli_1", HERE, NOW);
    expect(admission.lockedSeconds("cli_1", HERE, NOW)).toBe(6);
    expect(admission.lockedSeconds("cli_1", HERE, NOW + 5_999)).toBe(1);
    expect(admission.lockedSeconds("cli_1", HERE, NOW + 6_000)).toBeUndefined();
    admission.failed("cli_1", HERE, NOW + 6_000);
    expect(admission.lockedSeconds("cli_1", HERE, NOW + 6_000)).toBe(6);
  });

  it("do not lock the client elsewhere, nor another client there", () => {
    const admission = failing(100);
    expect(admission.lockedSeconds("cli_1", "192.0.2.2", NOW)).toBeUndefined();
    expect(admission.lockedSeconds("cli_2", HERE, NOW)).toBeUndefined();
    expect(admission.lockedSeconds("cli_1", HERE, NOW)).toBe(6);
  });

  it("count for the whole network that a subscriber of IPv6 has", () => {
    const admission = failing(10, "cli_1", "2001:db8:1:2::1");
    expect(admission.lockedSeconds("cli_1", "2001:db8:1:2:ffff::9", NOW)).toBe(6);
    expect(admission.lockedSeconds("cli_1", "2001:db8:1:3::1", NOW)).toBeUndefined();
  });

  it("of ids that nobody has share 64 places, so that an address fills no more", () => {
    const admission = new ClientAdmission();
    for (let i = 0; i < 64 * 40; i++) admission.failed(`cli_nobody${i}`, HERE, NOW);
    const locked = Array.from({ length: 100 }, (_, i) => admission.lockedSeconds(`cli_other${i}`, HERE, NOW));
    expect(locked.every((seconds) => seconds === 6)).toBe(true);
  });

  it("are remembered of so many places, and forgotten of the one that failed longest ago", () => {
    const admission = new ClientAdmission({ ...FAILURE_RATE, maxKeys: 2 });
    for (const address of ["a", "b"]) for (let i = 0; i < 10; i++) admission.failed("cli_1", address, NOW);
    admission.failed("cli_1", "c", NOW);
    expect(admission.lockedSeconds("cli_1", "a", NOW)).toBeUndefined();
    expect(admission.lockedSeconds("cli_1", "b", NOW)).toBe(6);
  });

  it("are not given back by a clock that goes backwards", () => {
    const admission = failing(10);
    expect(admission.lockedSeconds("cli_1", HERE, NOW - 60_000)).toBe(6);
  });
});

describe("requests of a client", () => {
  it("are let through up to the burst and then at the rate, each client for itself", () => {
    const admission = new ClientAdmission();
    for (let i = 0; i < REQUEST_RATE.burst; i++) expect(admission.admit("cli_1", NOW)).toBeUndefined();
    expect(admission.admit("cli_1", NOW)).toBe(1);
    expect(admission.admit("cli_2", NOW)).toBeUndefined();
    let admitted = 0;
    for (let ms = 10; ms <= 1_000; ms += 10) if (admission.admit("cli_1", NOW + ms) === undefined) admitted++;
    expect(admitted).toBe(REQUEST_RATE.perSecond);
  });
});
