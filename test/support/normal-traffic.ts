import type { VerifiedToken } from "../../src/tokens/verify.ts";
import { type From, ISS, type SeenRequest, START_MS, verifiedToken } from "./detection-world.ts";

const SECOND = 1_000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
/** An office's day, and a little of the evening. */
const DAY_MS = 9 * HOUR;
const TOKEN_LIFE_MS = 5 * MINUTE;

type Random = () => number;
type Cf = { country: string; asn: number; latitude: string; longitude: string };

const BERLIN: Cf = { country: "DE", asn: 3320, latitude: "52.52", longitude: "13.40" };
const HAMBURG: Cf = { ...BERLIN, latitude: "53.55", longitude: "9.99" };
const MUNICH_LTE: Cf = { country: "DE", asn: 6805, latitude: "48.14", longitude: "11.58" };
const VIENNA: Cf = { country: "AT", asn: 8447, latitude: "48.21", longitude: "16.37" };
const NEW_YORK_VPN: Cf = { country: "US", asn: 9009, latitude: "40.71", longitude: "-74.01" };
const CLOUD: Cf = { country: "IE", asn: 16509, latitude: "53.35", longitude: "-6.26" };

/** Numbers that look random and are the same for the same seed. */
export function seededRandom(seed: number): Random {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

/**
 * A day of people and programs that do nothing wrong, in order of time: an office of 500 behind one address, people
 * on the way who change networks, a few who switch a VPN on and off or come home from abroad, jobs that begin with
 * a burst each hour, fleets that share a token, clocks that are late, pages with parts that one may not see, tabs
 * that do not know that their session is over, a copied token here and there that lost a character, and an
 * identity provider that changed its key. `share` is how much of the people is there.
 */
export function normalTraffic(seed: number, share = 1): SeenRequest[] {
  const random = seededRandom(seed);
  const day = new Day(random);
  const office = { address: "198.51.100.7", cf: BERLIN };
  for (let n = 0; n < 500 * share; n++) day.person(`office-${n}`, () => office, 240);
  for (let n = 0; n < 120 * share; n++) day.person(`mobile-${n}`, onTheWay(n, random), 120);
  for (let n = 0; n < 20; n++) day.person(`vpn-${n}`, withVpn(n, random), 120);
  for (let n = 0; n < 5; n++) day.person(`traveller-${n}`, flyingHome(n), 120);
  for (let n = 0; n < 4; n++) day.hourlyJob(`job-${n}`, n);
  day.fleet("fleet", 12);
  day.keyChange();
  return day.requests.sort((a, b) => a.atMs - b.atMs);
}

class Day {
  readonly requests: SeenRequest[] = [];
  readonly #random: Random;

  constructor(random: Random) {
    this.#random = random;
  }

  /** Somebody with a page open, that loads six things at a time, and renews its token every five minutes. */
  person(name: string, whereAt: (atMs: number) => From, everySeconds: number): void {
    const random = this.#random;
    const beginsMs = START_MS + random() * 2 * HOUR;
    const endsMs = START_MS + DAY_MS - random() * 2 * HOUR;
    const session = `ses_${name}`;
    // One clock in twenty is late, by up to five minutes: its owner's tokens are renewed that much too late.
    const lateMs = random() < 0.05 ? random() * 5 * MINUTE : 0;
    let token: VerifiedToken | undefined;
    let tokens = 0;
    for (let atMs = beginsMs; atMs < endsMs; atMs += (0.2 + 1.6 * random()) * everySeconds * SECOND) {
      const from = whereAt(atMs);
      if (!token || atMs >= token.expiresAt * 1000 + lateMs) {
        const jti = `${name}-${tokens++}`;
        token = verifiedToken({ jti, session, sub: `login|${name}`, client_id: "spa" }, atMs + TOKEN_LIFE_MS);
      }
      const refused = atMs >= token.expiresAt * 1000 ? ("token_expired" as const) : undefined;
      for (let part = 0; part < 6; part++) {
        const at = { ...from, atMs: atMs + part * 50, token };
        this.requests.push(refused ? { ...at, refused } : at);
        // Two parts of the page are for administrators.
        if (!refused && part < 2) {
          this.requests.push({ ...at, refused: "scope_missing", route: `admin-${part}` });
        }
      }
      if (random() < 0.0005) this.#damaged(from, atMs);
    }
    if (token) this.#forgottenTab(token, whereAt(endsMs), endsMs);
  }

  /** Signed out in one tab, while another one asks a few more times. */
  #forgottenTab(token: VerifiedToken, from: From, atMs: number): void {
    for (let n = 0; n < 8 * this.#random(); n++) {
      this.requests.push({ ...from, atMs: atMs + n * 5 * SECOND, token, refused: "token_revoked" });
    }
  }

  /** A token that was copied by hand, and lost a character. */
  #damaged(from: From, atMs: number): void {
    const unverified = { iss: ISS, kid: "own-1" };
    for (let n = 0; n < 2; n++) {
      this.requests.push({ ...from, atMs: atMs + n * SECOND, refused: "token_signature", unverified });
    }
  }

  /** A token for an hour; two minutes of much, and then the queue is looked at now and then. */
  hourlyJob(name: string, n: number): void {
    const from = { address: `192.0.2.${n}`, cf: CLOUD };
    const token = () =>
      verifiedToken({ jti: `${name}-day`, sub: name, client_id: name }, START_MS + 2 * DAY_MS);
    const oneForAll = token();
    for (let hour = 0; hour < DAY_MS / HOUR; hour++) {
      const beginsMs = START_MS + hour * HOUR;
      // From hour to hour there is twice as much to do, or half.
      const perSecond = [20, 40, 20, 10, 40, 80, 40, 20, 30][hour]! * (n === 0 ? 1 : 0.25);
      for (let i = 0; i < perSecond * 120; i++) {
        this.requests.push({ ...from, atMs: beginsMs + (i * SECOND) / perSecond, token: oneForAll });
      }
      for (let ms = 2 * MINUTE; ms < HOUR; ms += 20 * SECOND) {
        this.requests.push({ ...from, atMs: beginsMs + ms, token: oneForAll });
      }
    }
  }

  /** Machines of one account that share what one of them fetched. */
  fleet(name: string, machines: number): void {
    const token = verifiedToken({ jti: `${name}-day`, sub: name, client_id: name }, START_MS + 2 * DAY_MS);
    for (let ms = 0; ms < DAY_MS; ms += 2 * SECOND) {
      const address = `192.0.2.${100 + Math.floor(this.#random() * machines)}`;
      this.requests.push({ atMs: START_MS + ms, token, address, cf: CLOUD });
    }
  }

  /** For ten seconds nobody knows the provider's new key. */
  keyChange(): void {
    const unverified = { iss: "https://login.example.com", kid: "provider-2" };
    for (let n = 0; n < 300; n++) {
      const atMs = START_MS + 3 * HOUR + this.#random() * 10 * SECOND;
      const from = { address: "198.51.100.7", cf: BERLIN };
      this.requests.push({ ...from, atMs, refused: "token_unknown_key", unverified });
    }
  }
}

/** At home, in the train, in a café: another network every few minutes, and of the provider's addresses another one each time. */
function onTheWay(n: number, random: Random): (atMs: number) => From {
  let untilMs = 0;
  let from: From = {};
  return (atMs) => {
    if (atMs < untilMs) return from;
    untilMs = atMs + (3 + 20 * random()) * MINUTE;
    const lte = `100.64.${n}.${Math.floor(random() * 256)}`;
    const privacy = `2001:db8:${n.toString(16)}:1:${Math.floor(random() * 65_536).toString(16)}::1`;
    const choices: From[] = [
      { address: lte, cf: MUNICH_LTE },
      { address: privacy, cf: HAMBURG },
      { address: `203.0.113.${n}`, cf: BERLIN },
      // Near the border the telephone finds the neighbour's network.
      { address: lte, cf: n % 10 === 0 ? VIENNA : MUNICH_LTE },
    ];
    from = choices[Math.floor(random() * choices.length)]!;
    return from;
  };
}

/** On for some of every hour or two. */
function withVpn(n: number, random: Random): (atMs: number) => From {
  const home = { address: `203.0.113.${128 + n}`, cf: BERLIN };
  const away = { address: `198.18.0.${n}`, cf: NEW_YORK_VPN };
  const everyMs = (1 + random()) * HOUR;
  return (atMs) => ((atMs - START_MS) % everyMs < 20 * MINUTE ? away : home);
}

/** In New York in the morning, in Berlin eight hours later. */
function flyingHome(n: number): (atMs: number) => From {
  const cf = { ...NEW_YORK_VPN, asn: 7922 };
  return (atMs) =>
    atMs < START_MS + HOUR / 2
      ? { address: `198.18.1.${n}`, cf }
      : { address: "198.51.100.7", cf: atMs > START_MS + 8.5 * HOUR ? BERLIN : cf };
}
