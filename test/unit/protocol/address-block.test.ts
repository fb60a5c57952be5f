import { describe, expect, it } from "vitest";
import { ADDRESS_BLOCK, addressBlock } from "../../../src/protocol/address-block.ts";

describe("addressBlock", () => {
  it.each([
    ["203.0.113.7", "203.0.113.7"],
    ["::ffff:203.0.113.7", "203.0.113.7"],
    ["2001:db8:1:2::1", "2001:db8:1:2::/64"],
    ["2001:DB8:0001:2:ffff::9", "2001:db8:1:2::/64"],
    ["2001:db8:1:2::/64", "2001:db8:1:2::/64"],
    ["::1", "0:0:0:0::/64"],
  ])("of %s is %s, the one spelling of it", (address, block) => {
    expect(addressBlock(address)).toBe(block);
    expect(addressBlock(block)).toBe(block);
    expect(block).toMatch(ADDRESS_BLOCK);
  });

  it.each(["", "nobody", "203.0.113.700", "1.2.3", "203.0.113.7/24", "2001:db8::/32"])(
    "leaves %j, which is no address",
    (text) => {
      expect(addressBlock(text)).toBe(text);
      expect(text).not.toMatch(ADDRESS_BLOCK);
    },
  );
});
