import type { Clock } from "../platform/clock.ts";
import { faultText, type Logger } from "../platform/log.ts";
import { compilePolicy } from "../policy/compiled.ts";
import type { PolicyVersion } from "../policy/document.ts";
import type { PublicKeyRecord } from "../protocol/jwk.ts";
import { ok, type Result } from "../protocol/result.ts";
import { RuleIndex } from "../revocation/rule-index.ts";
import { type Delta, type SequencedEntry, SNAPSHOT_KEY, type Snapshot } from "./entry.ts";
import type { ReplicaReader, ReplicaView, VerificationKey } from "./replica.ts";

export type LogReader = {
  since(seq: number): Promise<Result<Delta>>;
  snapshot(): Promise<Result<Snapshot>>;
};

export type IsolateReplicaOptions = {
  log: LogReader;
  kv: Pick<KVNamespace, "get">;
  clock: Clock;
  logger: Logger;
};

/** A background refresh that takes longer is taken for lost: the request that carried it was cancelled. */
const BACKGROUND_DEADLINE_MS = 5_000;

/**
 * What this isolate knows of policy, keys and revocations. Cold: the KV snapshot, then the delta. Warm: the
 * delta. Requests share the view, never a promise: one whose client goes away strands nobody.
 */
export class IsolateReplica implements ReplicaReader {
  readonly #o: IsolateReplicaOptions;
  #view: ReplicaView | undefined;
  #backgroundSinceMs = Number.NEGATIVE_INFINITY;

  constructor(options: IsolateReplicaOptions) {
    this.#o = options;
  }

  peek(): ReplicaView | undefined {
    return this.#view;
  }

  async refresh(): Promise<Result<ReplicaView>> {
    if (!this.#view) await this.#loadFromKv();
    for (;;) {
      const askedAtMs = this.#o.clock();
      const delta = this.#view ? await this.#o.log.since(this.#view.seq) : ok({ too_old: true as const });
      if (!delta.ok) return delta;
      if (delta.value.too_old) {
        const snapshot = await this.#o.log.snapshot();
        if (!snapshot.ok) return snapshot;
        return ok(await this.#adopt(snapshot.value, askedAtMs));
      }
      const { entries, head_seq } = delta.value;
      const complete = (entries.at(-1)?.seq ?? head_seq) >= head_seq;
      const view = await this.#fold(entries, complete ? askedAtMs : undefined);
      if (complete) return ok(view);
    }
  }

  refreshInBackground(waitUntil: (work: Promise<unknown>) => void): void {
    const now = this.#o.clock();
    if (now - this.#backgroundSinceMs < BACKGROUND_DEADLINE_MS) return;
    this.#backgroundSinceMs = now;
    const work = this.refresh()
      .catch((fault) => this.#o.logger("error", "replica.refresh_failed", { fault: faultText(fault) }))
      .finally(() => {
        this.#backgroundSinceMs = Number.NEGATIVE_INFINITY;
      });
    waitUntil(work);
  }

  /** The snapshot in KV is only a start: it may lag, and its age is that of the moment it was taken. */
  async #loadFromKv(): Promise<void> {
    try {
      const snapshot = await this.#o.kv.get<Snapshot>(SNAPSHOT_KEY, "json");
      if (snapshot) await this.#adopt(snapshot, snapshot.at_ms);
    } catch (fault) {
      this.#o.logger("warn", "replica.snapshot_unreadable", { fault: faultText(fault) });
    }
  }

  async #adopt(snapshot: Snapshot, fetchedAtMs: number): Promise<ReplicaView> {
    const keys = await importKeys(snapshot.keys);
    const policy = compilePolicy(snapshot.policy);
    const revocations = new RuleIndex();
    for (const rule of snapshot.rules) revocations.add(rule);
    // Another request may have gone further while the keys were imported.
    if (this.#view && this.#view.seq > snapshot.seq) return this.#view;
    this.#view = { seq: snapshot.seq, fetchedAtMs, policy, keys, revocations };
    return this.#view;
  }

  /** Folds entries in; everything that waits comes first, so that the change itself is one synchronous step. */
  async #fold(entries: readonly SequencedEntry[], fetchedAtMs: number | undefined): Promise<ReplicaView> {
    let newKeys: PublicKeyRecord[] | undefined;
    let newPolicy: PolicyVersion | undefined;
    for (const { entry } of entries) {
      if (entry.kind === "keys.changed") newKeys = entry.keys;
      if (entry.kind === "policy.activated") newPolicy = { version: entry.version, document: entry.document };
    }
    const keys = newKeys && (await importKeys(newKeys));
    const policy = newPolicy && compilePolicy(newPolicy);

    const view = this.#view as ReplicaView;
    const head = entries.at(-1)?.seq ?? view.seq;
    for (const { seq, entry } of entries) {
      if (seq <= view.seq) continue;
      if (entry.kind === "revocation.added") view.revocations.add(entry.rule);
      if (entry.kind === "revocation.lifted") view.revocations.remove(entry.revocation_id);
    }
    const ahead = head > view.seq;
    this.#view = {
      seq: Math.max(head, view.seq),
      fetchedAtMs: Math.max(fetchedAtMs ?? 0, view.fetchedAtMs),
      policy: (ahead && policy) || view.policy,
      keys: (ahead && keys) || view.keys,
      revocations: view.revocations,
    };
    return this.#view;
  }
}

async function importKeys(records: readonly PublicKeyRecord[]): Promise<Map<string, VerificationKey>> {
  const keys = await Promise.all(
    records.map(async ({ kid, purpose, jwk }) => {
      const key = await crypto.subtle.importKey("jwk", jwk, { name: "ECDSA", namedCurve: "P-256" }, false, [
        "verify",
      ]);
      return [kid, { kid, purpose, alg: jwk.alg, key }] as const;
    }),
  );
  return new Map(keys);
}
