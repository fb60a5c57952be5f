import { createHash } from "node:crypto";
import { base64url, utf8 } from "../../src/protocol/encoding.ts";
import type { AuthenticationResponse, RegistrationResponse } from "../../src/protocol/webauthn.ts";

/** What an answer says that a good one would not. */
export type Twist = Partial<{
  type: string;
  origin: string;
  rpId: string;
  challenge: string;
  crossOrigin: boolean;
  flags: number;
  count: number;
}>;

type Site = { origin: string; rpId: string };

const PRESENT_AND_VERIFIED = 0x05;
const ATTESTED = 0x40;

/** A passkey in software (ES256): it answers whatever it is asked, and lies where it is told to. */
export class SoftwarePasskey {
  readonly id: string;
  readonly #keys: CryptoKeyPair;
  readonly #site: Site;
  #count = 0;

  private constructor(id: string, keys: CryptoKeyPair, site: Site) {
    this.id = id;
    this.#keys = keys;
    this.#site = site;
  }

  static async make(site: Site, id = base64url(crypto.getRandomValues(new Uint8Array(16)))) {
    const kind = { name: "ECDSA", namedCurve: "P-256" };
    const keys = (await crypto.subtle.generateKey(kind, true, ["sign", "verify"])) as CryptoKeyPair;
    return new SoftwarePasskey(id, keys, site);
  }

  async register(challenge: string, twist: Twist = {}): Promise<RegistrationResponse> {
    const spki = (await crypto.subtle.exportKey("spki", this.#keys.publicKey)) as ArrayBuffer;
    const id = Buffer.from(this.id, "base64url");
    const attested = [...new Uint8Array(16), id.length >> 8, id.length & 255, ...id];
    return {
      id: this.id,
      type: "public-key",
      response: {
        clientDataJSON: this.#clientData("webauthn.create", challenge, twist),
        authenticatorData: base64url(
          this.#authenticatorData({ flags: PRESENT_AND_VERIFIED | ATTESTED, ...twist }, attested),
        ),
        publicKey: base64url(new Uint8Array(spki)),
        publicKeyAlgorithm: -7,
        transports: ["internal"],
      },
    };
  }

  async answer(challenge: string, twist: Twist = {}): Promise<AuthenticationResponse> {
    const clientDataJSON = this.#clientData("webauthn.get", challenge, twist);
    const data = this.#authenticatorData({ count: ++this.#count, ...twist });
    const hash = createHash("sha256").update(Buffer.from(clientDataJSON, "base64url")).digest();
    const signed = new Uint8Array([...data, ...hash]);
    const raw = await crypto.subtle.sign({ name: "ECDSA", hash: "SHA-256" }, this.#keys.privateKey, signed);
    const signature = base64url(derOf(new Uint8Array(raw)));
    const response = { clientDataJSON, authenticatorData: base64url(data), signature };
    return { id: this.id, type: "public-key", response };
  }

  #clientData(type: string, challenge: string, twist: Twist): string {
    const { origin } = this.#site;
    const { flags: _flags, count: _count, rpId: _rpId, ...told } = twist;
    return base64url(utf8(JSON.stringify({ type, challenge, origin, crossOrigin: false, ...told })));
  }

  #authenticatorData(
    { rpId = this.#site.rpId, flags = PRESENT_AND_VERIFIED, count = 0 }: Twist,
    more: number[] = [],
  ) {
    const counted = [count >>> 24, (count >> 16) & 255, (count >> 8) & 255, count & 255];
    return new Uint8Array([...createHash("sha256").update(rpId).digest(), flags, ...counted, ...more]);
  }
}

/** r and s as DER, which is how authenticators write them. */
function derOf(raw: Uint8Array): Uint8Array {
  const numbers = [raw.subarray(0, 32), raw.subarray(32)].flatMap((number) => {
    const digits = [...number.subarray(number.findIndex((byte) => byte !== 0))];
    const positive = digits[0]! > 127 ? [0, ...digits] : digits;
    return [0x02, positive.length, ...positive];
  });
  return new Uint8Array([0x30, numbers.length, ...numbers]);
}
