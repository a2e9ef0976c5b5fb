// Loaded into the measured server before its own code: collects garbage when the benchmark asks
// for it, and ends the server when the benchmark is gone. Plain JavaScript, because the server
// runs without anything that reads TypeScript.

process.on('message', async () => {
  // Finalizers run between collections and free memory outside the heap.
  for (let round = 0; round < 4; round++) {
    globalThis.gc?.();
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  process.send?.('collected');
});
process.on('disconnect', () => process.exit(1));
// The channel alone is no reason to go on.
process.channel?.unref();
