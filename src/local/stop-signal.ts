const PARENT_CHECK_INTERVAL_MS = 250;

/** Aborts at Ctrl-C, SIGTERM, or when the terminal is closed. Further signals do not cut the clean stop short. */
export function stopSignal(): AbortSignal {
  const stop = new AbortController();
  for (const name of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(name, () => stop.abort());
  // npm signals only the shell that it started us with, and that shell does not pass the signal on.
  if (process.env.npm_lifecycle_event !== undefined) {
    const parent = process.ppid;
    setInterval(() => process.ppid !== parent && stop.abort(), PARENT_CHECK_INTERVAL_MS).unref();
  }
  return stop.signal;
}
