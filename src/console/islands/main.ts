import { startCopy } from "./copy.ts";
import { startCountdowns } from "./countdown.ts";
import { startKeys } from "./keys.ts";
import { startLive } from "./live.ts";
import { startPasskeys } from "./passkey.ts";

// Everything works without this: it counts down, listens to keys and keeps a page fresh.
startCopy();
startCountdowns();
startPasskeys();
startKeys();
startLive();
