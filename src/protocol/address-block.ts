import ipaddr from "ipaddr.js";

/** Whom an address stands for where requests are counted: one subscriber has a whole /64 of IPv6. */
export function addressBlock(address: string): string {
  if (!ipaddr.IPv6.isValid(address)) return address.slice(0, 64);
  return ipaddr.IPv6.parse(address).parts.slice(0, 4).join(":");
}
