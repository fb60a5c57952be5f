import type { Clock } from "../platform/clock.ts";
import { faultText, type Logger } from "../platform/log.ts";
import { withTimeout } from "../platform/rpc.ts";
import { compilePolicy } from "../policy/compiled.ts";
import type { StoredPolicy } from "../policy/document.ts";
import type { PublicKeyRecord } from "../protocol/jwk.ts";
import { ok, type Result } from "../protocol/result.ts";
import { SIGNING_PARAMETERS } from "../protocol/signature-algorithm.ts";
import type { DeniedFilter, FilterManifest } from "../revocation/filter.ts";
import { RuleIndex } from "../revocation/rule-index.ts";
import { type Delta, type SequencedEntry, SNAPSHOT_KEY, type Snapshot } from "./entry.ts";
import type { ReplicaReader, ReplicaView, VerificationKey } from "./replica.ts";

export type LogReader = {
  /** With `maxAgeMs`, an answer that the log gave another reader that long ago at most will do. */
  since(seq: number, maxAgeMs?: number): Promise<Result<Delta>>;
  snapshot(): Promise<Result<Snapshot>>;
};

/** Where the filter that a manifest names comes from; parts of the known one are used again. */
export type FilterSource = {
  load(manifest: FilterManifest, known?: DeniedFilter): Promise<Result<DeniedFilter>>;
};

export type IsolateReplicaOptions = {
  log: LogReader;
  filter: FilterSource;
  kv: Pick<KVNamespace, "get">;
  clock: Clock;
  logger: Logger;
};

/** A background refresh that takes longer is taken for lost: the request that carried it was cancelled. */
const BACKGROUND_DEADLINE_MS = 5_000;
/** A cold isolate starts without KV where KV takes longer: the log has everything. */
const KV_TIMEOUT_MS = 1_000;
/** How often an isolate that the log does not answer looks for a newer snapshot in KV. */
const KV_INTERVAL_MS = 10_000;

/**
 * What this isolate knows of policy, keys and revocations. Cold: the KV snapshot, then the delta. Warm: the
 * delta. Requests share the view, never a promise: one whose client goes away strands nobody.
 */
export class IsolateReplica implements ReplicaReader {
  readonly #o: IsolateReplicaOptions;
  #view: ReplicaView | undefined;
  /** Whether the log was heard, or did not answer: a snapshot alone may lack what was acknowledged since. */
  #asked = false;
  #backgroundSinceMs = Number.NEGATIVE_INFINITY;
  #kvReadAtMs = Number.NEGATIVE_INFINITY;

  constructor(options: IsolateReplicaOptions) {
    this.#o = options;
  }

  /** Undefined in a cold isolate until the log was asked: others do not decide on the snapshot meanwhile. */
  peek(): ReplicaView | undefined {
    return this.#asked ? this.#view : undefined;
  }

  async refresh(maxAgeMs = 0): Promise<Result<ReplicaView>> {
    try {
      return await this.#catchUp(maxAgeMs);
    } finally {
      this.#asked = true;
    }
  }

  async #catchUp(maxAgeMs: number): Promise<Result<ReplicaView>> {
    if (!this.#view) await this.#loadFromKv();
    // Pages are folded together: what one of them takes away, another may give in another form.
    const pages: SequencedEntry[] = [];
    for (;;) {
      const askedAtMs = this.#o.clock();
      const delta = this.#view
        ? await this.#o.log.since(pages.at(-1)?.seq ?? this.#view.seq, maxAgeMs)
        : ok({ too_old: true as const });
      if (!delta.ok) {
        await this.#catchUpFromKv();
        return delta;
      }
      if (delta.value.too_old) {
        const snapshot = await this.#o.log.snapshot();
        if (!snapshot.ok) return snapshot;
        return this.#adopt(snapshot.value, askedAtMs);
      }
      const { entries, head_seq, asked_at_ms: sharedAtMs = askedAtMs } = delta.value;
      pages.push(...entries);
      if ((entries.at(-1)?.seq ?? head_seq) >= head_seq) {
        return this.#fold(pages, Math.min(askedAtMs, sharedAtMs));
      }
    }
  }

  refreshInBackground(waitUntil: (work: Promise<unknown>) => void, maxAgeMs = 0): void {
    const now = this.#o.clock();
    if (now - this.#backgroundSinceMs < BACKGROUND_DEADLINE_MS) return;
    this.#backgroundSinceMs = now;
    const work = this.refresh(maxAgeMs)
      .catch((fault) => this.#o.logger("error", "replica.refresh_failed", { fault: faultText(fault) }))
      .finally(() => {
        this.#backgroundSinceMs = Number.NEGATIVE_INFINITY;
      });
    waitUntil(work);
  }

  /** Where the log cannot be reached, its snapshot in KV may still bring newer keys, policy and rules. */
  async #catchUpFromKv(): Promise<void> {
    if (this.#o.clock() - this.#kvReadAtMs < KV_INTERVAL_MS) return;
    await this.#loadFromKv();
    this.#kvReadAtMs = this.#o.clock();
  }

  /** The snapshot in KV may lag, and its age is that of the moment it was taken. */
  async #loadFromKv(): Promise<void> {
    try {
      const read = this.#o.kv.get<Snapshot>(SNAPSHOT_KEY, "json");
      const snapshot = await withTimeout(read, KV_TIMEOUT_MS);
      const adopted = snapshot && (await this.#adopt(snapshot, snapshot.at_ms));
      if (adopted?.ok === false) {
        this.#o.logger("warn", "replica.snapshot_unreadable", { fault: adopted.error.detail });
      }
    } catch (fault) {
      this.#o.logger("warn", "replica.snapshot_unreadable", { fault: faultText(fault) });
    }
  }

  async #adopt(snapshot: Snapshot, fetchedAtMs: number): Promise<Result<ReplicaView>> {
    const filter = await this.#filterOf(snapshot.filter);
    if (!filter.ok) return filter;
    const keys = await importKeys(snapshot.keys, this.#view?.keys);
    const policy = await compilePolicy(snapshot.policy);
    const revocations = new RuleIndex();
    for (const rule of snapshot.rules) revocations.add(rule);
    // Another request may have gone further while the keys were imported.
    if (this.#view && this.#view.seq > snapshot.seq) return ok(this.#view);
    this.#view = {
      seq: snapshot.seq,
      // It holds what the view before it held, so it is at least as young.
      fetchedAtMs: Math.max(fetchedAtMs, this.#view?.fetchedAtMs ?? 0),
      policy,
      keys,
      revocations,
      ...(filter.value ? { filter: filter.value } : {}),
    };
    return ok(this.#view);
  }

  /** A filter that cannot be loaded is a refresh that failed: nothing moves on, and the bound holds. */
  async #filterOf(manifest: FilterManifest | undefined): Promise<Result<DeniedFilter | undefined>> {
    return manifest ? this.#o.filter.load(manifest, this.#view?.filter) : ok(undefined);
  }

  /** Folds entries in; everything that waits comes first, so that the change itself is one synchronous step. */
  async #fold(entries: readonly SequencedEntry[], fetchedAtMs: number): Promise<Result<ReplicaView>> {
    let newKeys: PublicKeyRecord[] | undefined;
    let newPolicy: StoredPolicy | undefined;
    let newFilter: FilterManifest | undefined;
    for (const { entry } of entries) {
      if (entry.kind === "keys.changed") newKeys = entry.keys;
      if (entry.kind === "policy.activated") newPolicy = entry;
      if (entry.kind === "filter.published") newFilter = entry.filter;
    }
    const loaded = await this.#filterOf(newFilter);
    if (!loaded.ok) return loaded;
    const keys = newKeys && (await importKeys(newKeys, this.#view?.keys));
    const policy = newPolicy && (await compilePolicy(newPolicy));

    const view = this.#view as ReplicaView;
    const head = entries.at(-1)?.seq ?? view.seq;
    const compacted = new Set<string>();
    for (const { seq, entry } of entries) {
      if (seq <= view.seq) continue;
      if (entry.kind === "revocation.added") view.revocations.add(entry.rule);
      if (entry.kind === "keys.changed" && entry.rule) view.revocations.add(entry.rule);
      if (entry.kind === "revocation.lifted") view.revocations.remove(entry.revocation_id);
      if (entry.kind === "rules.compacted") for (const id of entry.ids) compacted.add(id);
    }
    // Who decides on the view before, whose filter may not know them, finds them in its own index.
    const revocations = compacted.size
      ? view.revocations.without(compacted, this.#o.clock() / 1000)
      : view.revocations;
    const ahead = head > view.seq;
    const filter = later(loaded.value, view.filter);
    this.#view = {
      seq: Math.max(head, view.seq),
      fetchedAtMs: Math.max(fetchedAtMs, view.fetchedAtMs),
      policy: (ahead && policy) || view.policy,
      keys: (ahead && keys) || view.keys,
      revocations,
      ...(filter ? { filter } : {}),
    };
    return ok(this.#view);
  }
}

function later(a: DeniedFilter | undefined, b: DeniedFilter | undefined): DeniedFilter | undefined {
  return a && (!b || a.build > b.build) ? a : b;
}

/** A key that is known already stays the same object: what it verified need not be verified again. */
async function importKeys(
  records: readonly PublicKeyRecord[],
  known: ReplicaView["keys"] | undefined,
): Promise<Map<string, VerificationKey>> {
  const keys = await Promise.all(
    records.map(async ({ kid, purpose, jwk }) => {
      const before = known?.get(kid);
      if (before?.purpose === purpose && before.alg === jwk.alg) return [kid, before] as const;
      const key = await crypto.subtle.importKey("jwk", jwk, SIGNING_PARAMETERS[jwk.alg].key, false, [
        "verify",
      ]);
      return [kid, { kid, purpose, alg: jwk.alg, key }] as const;
    }),
  );
  return new Map(keys);
}
