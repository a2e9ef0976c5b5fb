// A server that a test can kill: starts copies in containers with the driver alone, and says so on
// standard output, one line for all of them.

import { ContainerWorld, script } from './container-world.ts';

const [, , folder = '', host = '', ...texts] = process.argv;
const world = new ContainerWorld(folder, host);
for (const [at, text] of texts.entries()) {
  const instance = `reader-${String.fromCharCode(97 + at).repeat(5)}`;
  const { ended } = await world.start({ ...script(text), instance, devices: [] });
  ended.then(() => process.stdout.write(`${instance} ended\n`)).catch(() => process.exit(1));
}
process.stdout.write('started\n');
