import type * as z from "zod";
import { checkPolicy } from "../policy/check.ts";
import type { policySchema } from "../policy/document.ts";

type PolicyInput = z.input<typeof policySchema>;
export type RouteInput = NonNullable<PolicyInput["routes"]>[number];
type CredentialSource = NonNullable<RouteInput["credential"]>[number];
export type IssuerInput = NonNullable<PolicyInput["issuers"]>[number];

/** Something of the source that the policy does not do, or does otherwise. */
export type Note = {
  /** Where in the source: `rules[2] "orders"`. */
  at: string;
  what: string;
  /** What to do about it. */
  todo: string;
};

/** What a source does not say and the policy needs; each may be absent, and a note then says what was left out. */
export type ImportOptions = {
  /** Audience that tokens of the issuers must name. */
  audience?: string;
  /** `iss` of the tokens. */
  issuer?: string;
  /** Where requests go. */
  origin?: string;
};

/** A role that nobody has: what a route must ask for so that it refuses everybody until somebody has looked at it. */
const NOBODY = "portcullis-left-out";
/** What other products ask of a token's `typ`: nothing. These two are what issuers write. */
const TOKEN_TYPES: NonNullable<IssuerInput["token_types"]> = ["JWT", "at+jwt"];
/** No name ends so (RFC 2606). */
const NOWHERE = "https://left-out.invalid";

type Where = Pick<RouteInput, "id" | "path" | "methods" | "host">;

/** `faults` is empty where the document can be put as it is. */
export type Imported = { policy: PolicyInput; notes: Note[]; faults: string[] };

/**
 * A policy that is put together from another product's configuration. What cannot be carried over is shut and noted: left
 * out, it would fall to a wider route, which may ask for less.
 */
export class PolicyDraft {
  readonly #origins = new Map<string, { url: string; audience: string }>();
  readonly #issuers = new Map<string, IssuerInput>();
  readonly #routes: RouteInput[] = [];
  readonly #notes: Note[] = [];
  #sessions = false;

  note(at: string, what: string, todo: string): undefined {
    this.#notes.push({ at, what, todo });
  }

  /** The name of the origin at this URL's scheme, host and port. */
  origin(url: string): string {
    const { origin, hostname } = new URL(url);
    for (const [name, known] of this.#origins) if (known.url === origin) return name;
    const name = freeName(nameOf(hostname), this.#origins);
    this.#origins.set(name, { url: origin, audience: origin });
    return name;
  }

  /** Adds an issuer; one of the same `iss` stays as it was. */
  issuer(input: Omit<IssuerInput, "id" | "token_types">): undefined {
    for (const known of this.#issuers.values()) if (known.issuer === input.issuer) return;
    const id = freeName(nameOf(new URL(input.issuer).hostname), this.#issuers);
    this.#issuers.set(id, { id, ...input, token_types: TOKEN_TYPES });
  }

  hasIssuer(issuer: string): boolean {
    return [...this.#issuers.values()].some((known) => known.issuer === issuer);
  }

  /** Adds a route under this name, or one like it where it is taken. */
  route({ id, ...route }: RouteInput): undefined {
    const taken = new Map(this.#routes.map((each) => [each.id, each]));
    this.#routes.push({ id: freeName(nameOf(id), taken), ...route });
  }

  /** Notes that something of the source is not carried over, and refuses everybody where it was. */
  shut(at: string, why: string, todo: string, { id, ...where }: Where): undefined {
    this.note(at, `Not carried over, and refused for everybody: ${why}.`, todo);
    const known = this.#routes.some(
      (each) => each.host === where.host && each.path === where.path && isShut(each) && !each.methods,
    );
    if (!known) this.route({ id, ...where, origin: this.origin(NOWHERE), access: { roles: [NOBODY] } });
  }

  /** People sign in with browsers. */
  withSessions(): undefined {
    this.#sessions = true;
  }

  finish(): Imported {
    const policy: PolicyInput = {
      issuers: [...this.#issuers.values()],
      origins: Object.fromEntries(this.#origins),
      routes: this.#routes,
      ...(this.#sessions ? { sessions: {} } : {}),
    };
    // Of our own issuer only its name matters here, and no source can know it.
    const secretRefs = new Set([...this.#issuers.values()].flatMap(secretsOf));
    const checked = checkPolicy(policy, { issuer: "https://portcullis.invalid", local: true, secretRefs });
    const faults = checked.ok ? [] : ((checked.error.extra?.faults as string[] | undefined) ?? []);
    return { policy, notes: this.#notes, faults };
  }
}

function isShut({ access }: RouteInput): boolean {
  return access !== "public" && access.roles?.[0] === NOBODY;
}

function secretsOf({ secret_ref, sign_in }: IssuerInput): string[] {
  return [secret_ref, sign_in?.client_secret_ref].filter((ref) => ref !== undefined);
}

/** The place of a token that is taken from this header. */
export function headerSource(header: string): CredentialSource {
  const name = header.toLowerCase();
  return name === "authorization" ? { from: "authorization" } : { from: "header", name };
}

/** As the policy takes names: letters, digits, `-`, `_`, `.`. */
function nameOf(text: string): string {
  const name = text.replaceAll(/[^A-Za-z0-9_.-]+/g, "-").replace(/^[^A-Za-z0-9]+/, "");
  return name.slice(0, 60) || "imported";
}

function freeName(wanted: string, taken: ReadonlyMap<string, unknown>): string {
  let name = wanted;
  for (let n = 2; taken.has(name); n++) name = `${wanted}-${n}`;
  return name;
}
