// A worker in a process of its own, so that it can be stopped in the midst of its work and go on
// later, as if nothing had been: `worker.ts URL SERVICE UID`.

import { connect } from '@sluice/sdk';
import { resultOf } from '../ledger.ts';
import { forEachDelivery, settle } from '../traffic.ts';

const [url = '', service = '', uid = ''] = process.argv.slice(2);
const client = await connect(url, { service, uid, gid: service, timeoutMs: 5_000 });
process.send?.('working');
process.on('disconnect', () => process.exit(0));
const { signal } = new AbortController();
await forEachDelivery(client, 'input', signal, (delivery) => {
  const id = new TextDecoder().decode(delivery.payload);
  void settle(() => delivery.complete(resultOf(id)), signal);
});
