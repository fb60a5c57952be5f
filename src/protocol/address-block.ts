import ipaddr from "ipaddr.js";

/** How {@link addressBlock} writes an address that it can read. */
export const ADDRESS_BLOCK =
  /^(?:(?:25[0-5]|2[0-4]\d|1?\d?\d)(?:\.(?!$)|$)){4}$|^[0-9a-f]{1,4}(?::[0-9a-f]{1,4}){3}::\/64$/;

/** As it is written without anything that could be left out. */
export const PLAIN_IPV4 = /^(?:(?:25[0-5]|2[0-4]\d|1\d\d|[1-9]?\d)(?:\.(?!$)|$)){4}$/;

/** Whom an address stands for: itself, but one subscriber has a whole /64 of IPv6. What is none stays as it is. */
export function addressBlock(address: string): string {
  if (PLAIN_IPV4.test(address)) return address;
  const text = address.endsWith("/64") ? address.slice(0, -3) : address;
  if (ipaddr.IPv4.isValidFourPartDecimal(address)) return ipaddr.IPv4.parse(address).toString();
  if (!ipaddr.IPv6.isValid(text)) return address.slice(0, 64);
  const parsed = ipaddr.IPv6.parse(text);
  if (parsed.isIPv4MappedAddress()) return parsed.toIPv4Address().toString();
  const network = parsed.parts.slice(0, 4).map((part) => part.toString(16));
  return `${network.join(":")}::/64`;
}
