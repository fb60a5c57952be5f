import { type Clock, epochSeconds } from "../platform/clock.ts";
import type { PolicyVersion } from "../policy/document.ts";
import { DEFAULT_KEY_POLICY, type KeyPolicy, keyPolicy } from "../policy/key-policy.ts";
import type { Result } from "../protocol/result.ts";
import type { Periods } from "./key-ring.ts";
import type { KeyringStore } from "./keyring-store.ts";

type Adopted = KeyPolicy & { adopted_at: number };

/** What the policy says of keys, as the key ring last learned it: signing waits for no other object. */
export class KeySettings {
  readonly #o: { clock: Clock; store: KeyringStore; policy(): Promise<Result<PolicyVersion>> };

  constructor(options: { clock: Clock; store: KeyringStore; policy(): Promise<Result<PolicyVersion>> }) {
    this.#o = options;
  }

  /** Learns what the policy in force says; where the registry does not answer, what was known holds. */
  async adopt(): Promise<void> {
    const policy = await this.#o.policy();
    if (!policy.ok) return;
    const wanted = keyPolicy(policy.value.document);
    const known = this.current;
    const names = Object.keys(wanted) as (keyof KeyPolicy)[];
    if (names.every((name) => wanted[name] === known[name])) return;
    const adopted: Adopted = { ...wanted, adopted_at: epochSeconds(this.#o.clock()) };
    this.#o.store.setSetting("policy", adopted);
  }

  get current(): Adopted {
    return this.#o.store.setting<Adopted>("policy") ?? { ...DEFAULT_KEY_POLICY, adopted_at: 0 };
  }

  get periods(): Periods {
    const { rotation_seconds, publish_ahead_seconds, overdue_grace_seconds, adopted_at } = this.current;
    return {
      rotationSeconds: rotation_seconds,
      publishAheadSeconds: publish_ahead_seconds,
      graceSeconds: overdue_grace_seconds,
      adoptedAt: adopted_at,
    };
  }
}
