import fc from "fast-check";
import {
  coldStart,
  crash,
  cron,
  disturbCache,
  disturbKv,
  disturbWay,
  evict,
  sleep,
  wait,
} from "./bad-luck.ts";
import { bringIn, changePolicy, lift, remove, revoke, revokeAgain, rotate } from "./changes.ts";
import { call, crowd, mint, outage, probe, squeeze, watch } from "./requests.ts";

/** Schedules of the simulation: what a client, an operator, the platform and bad luck may do, in any order. */
export function schedules(maxSteps: number) {
  const often = [
    mint,
    mint,
    call,
    call,
    probe,
    probe,
    probe,
    watch,
    watch,
    squeeze,
    outage,
    crowd,
    revoke,
    revoke,
    bringIn,
    wait,
    wait,
    wait,
  ];
  const changes = [revokeAgain, lift, lift, remove, rotate, changePolicy];
  const badLuck = [
    coldStart,
    sleep,
    evict,
    evict,
    crash,
    cron,
    disturbWay,
    disturbWay,
    disturbWay,
    disturbKv,
    disturbKv,
    disturbCache,
  ];
  return fc.commands([...often, ...changes, ...badLuck], { maxCommands: maxSteps, size: "max" });
}
