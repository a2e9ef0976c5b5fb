// The two directions of the stream protocol as tables from kind to codec. Codes are part of the
// protocol: add new ones, never change or reuse one. Both sides skip codes they do not know.

import * as answers from './answer-codec.ts';
import * as calls from './call-codec.ts';
import * as deliveries from './delivery-codec.ts';
import { type DirectionCodec, directionCodec } from './fields.ts';
import type { ClientOperation, ServerOperation } from './operations.ts';
import * as session from './session-codec.ts';

/** What clients say and servers read. */
export const clientCodec: DirectionCodec<ClientOperation> = directionCodec<ClientOperation>({
  hello: session.hello,
  open: session.open,
  ping: session.ping,
  leave: session.leave,
  part: session.part,
  abandon: session.abandon,
  credit: session.credit,
  put: calls.put,
  get: calls.get,
  taken: calls.taken,
  cancel: calls.cancel,
  search: calls.search,
  count: calls.count,
  attributes: calls.attributes,
  delete: calls.deletion,
  truncate: calls.truncate,
  end: calls.end,
  commitIndexes: calls.commitIndexes,
  negative: calls.negative,
  follow: calls.follow,
  more: calls.more,
  watch: deliveries.watch,
  unwatch: deliveries.unwatch,
  pause: deliveries.pause,
  resume: deliveries.resume,
  commit: deliveries.commit,
  complete: deliveries.complete,
  giveBack: deliveries.giveBack,
  touch: deliveries.touch,
  progress: deliveries.progress,
  freed: deliveries.freed,
  report: deliveries.report,
  checkpoint: deliveries.checkpoint,
  recall: deliveries.recall,
});

/** What servers say and clients read. */
export const serverCodec: DirectionCodec<ServerOperation> = directionCodec<ServerOperation>({
  welcome: session.welcome,
  goodbye: session.goodbye,
  part: session.part,
  abandon: session.abandon,
  credit: session.credit,
  done: answers.done,
  error: answers.error,
  putDone: answers.putDone,
  message: answers.message,
  completed: answers.completed,
  counted: answers.counted,
  found: answers.found,
  described: answers.described,
  event: answers.event,
  deliver: answers.deliver,
  watching: answers.watching,
  voided: answers.voided,
  closed: answers.closed,
});
