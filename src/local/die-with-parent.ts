// Loaded into the Worker's process: when whoever started it is gone, however it ended, this process ends too.
process.on("disconnect", () => process.kill(process.pid, "SIGTERM"));
process.channel?.unref();
