import type { MetricsDeps } from "../control/metrics-routes.ts";
import type { PropagationDeps } from "../control/propagation-routes.ts";
import type { RecordDeps } from "../control/record-routes.ts";
import type { TrafficDeps } from "../control/traffic-routes.ts";
import { ok, type Result } from "../protocol/result.ts";
import { sumOfAges } from "../remediation/histogram.ts";
import { noTraffic, sumOfTallies } from "../remediation/traffic.ts";
import { ofAll } from "../remediation/traffic-shards.ts";
import type { ObjectPorts } from "./objects.ts";

type TrafficReader = RecordDeps & {
  totals: MetricsDeps["traffic"];
  ages: PropagationDeps["ages"];
  series: TrafficDeps["traffic"];
};

/** What isolates counted and kept, of all shards together. */
export function wireTraffic(shards: ObjectPorts["traffic"]): TrafficReader {
  const read = () => ofAll(shards, (shard) => shard.read());
  return {
    totals: async () =>
      mapped(await read(), (each) => each.map(({ totals }) => totals).reduce(sumOfTallies, noTraffic())),
    ages: async () =>
      mapped(await read(), (each) => each.map(({ ages_24h }) => ages_24h).reduce(sumOfAges, {})),
    series: (query) => ofAll(shards, (shard) => shard.series(query)),
    record: async (id) =>
      mapped(await ofAll(shards, (shard) => shard.decision(id)), (each) =>
        each.filter((one) => one !== null),
      ),
    records: async (query) =>
      mapped(await ofAll(shards, (shard) => shard.decisions(query)), (each) => each.flat()),
  };
}

function mapped<A, B>(result: Result<A>, map: (value: A) => B): Result<B> {
  return result.ok ? ok(map(result.value)) : result;
}
