// Mistakes planted one at a time into the rules and into the broker's ordering, to show that the
// simulator sees them. Each replaces one exact piece of text of one source file, in a process of
// its own; nothing of it is in the product.

export interface Mutation {
  /** What the changed product does wrong. */
  readonly name: string;
  /** From the root of the repository. */
  readonly file: string;
  readonly find: string;
  readonly replace: string;
  /** Where the tests begin to look: the first seed that noticed it when this was written. */
  readonly from?: number;
}

export const mutations: readonly Mutation[] = [
  {
    name: 'answers before the append is durable',
    file: 'server/src/broker/machine.ts',
    find: "while (this.#turns[0]?.stage === 'durable') {",
    replace: "while (this.#turns[0] !== undefined && this.#turns[0].stage !== 'decided') {",
  },
  {
    name: 'releases what a later turn did before the turn ahead of it is durable',
    file: 'server/src/broker/machine.ts',
    find: `while (this.#turns[0]?.stage === 'durable') {
      const turn = this.#turns.shift();`,
    replace: `for (;;) {
      const at = this.#turns.findIndex(({ stage }) => stage === 'durable');
      if (at < 0) break;
      const [turn] = this.#turns.splice(at, 1);`,
  },
  {
    name: 'keeps what it had in memory after a failed append',
    file: 'server/src/broker/machine.ts',
    find: 'this.#state = recovered.state;',
    replace: `const { epoch } = recovered.state;
        const kept = this.#state;
        this.#state = kept === undefined ? recovered.state : Object.assign(kept, { epoch });`,
  },
  {
    name: 'takes a completion whose lease went to somebody else',
    file: 'server/src/queue/apply-lease.ts',
    find: '  state.leases.delete(entry.mark.deliveryId);\n',
    replace: '',
  },
  {
    name: 'takes a repeated put for a new message',
    file: 'server/src/queue/decide-put.ts',
    find: 'if (!meta.callerId || !state.settings.dedup) return undefined;',
    replace: 'return undefined;',
  },
  {
    name: 'does not count deliveries that ended badly',
    from: 92,
    file: 'server/src/queue/lease-end.ts',
    find: 'bad: mark.bad + (counts ? 1 : 0),',
    replace: 'bad: mark.bad,',
  },
  {
    name: 'reserves no place for the result',
    file: 'server/src/queue/decide-deliver.ts',
    find: 'place: before?.place || takesPlace(state, queue, group, index),',
    replace: 'place: before?.place || false,',
  },
  {
    name: 'gives a consumer one more than its window',
    file: 'server/src/queue/state.ts',
    find: 'consumer.window - slotsTaken(consumer);',
    replace: 'consumer.window + 1 - slotsTaken(consumer);',
  },
  {
    name: 'frees the slot of a lease that was taken away at once',
    from: 19,
    file: 'server/src/queue/state.ts',
    find: 'return consumer.held.size + consumer.occupied.size;',
    replace: 'return consumer.held.size;',
  },
  {
    name: 'removes a message that is committed without ever having been delivered',
    file: 'server/src/queue/decide-lease.ts',
    find: `  const entry = group?.entries.get(command.index);
  if (group === undefined || entry === undefined) return unchanged;
  // One that was put with a delay waits like one that came back, and nobody had it yet.
  if (isDelayed(entry.mark)) return unchanged;
  const own = entry.consumer?.uid === command.uid ? entry : undefined;`,
    replace: `  const entry = group?.entries.get(command.index);
  if (group === undefined || !queue.messages.has(command.index)) return unchanged;
  const own = entry?.consumer?.uid === command.uid ? entry : undefined;`,
  },
  {
    name: 'lets a message expire under a lease',
    from: 29,
    file: 'server/src/queue/decide-sweep.ts',
    find: 'if (isOver && !facts.leased && !facts.hidden) {',
    replace: 'if (isOver && !facts.hidden) {',
  },
  {
    name: 'leaves no notice of a dead message',
    file: 'server/src/queue/lease-end.ts',
    find: 'mark.place && mark.placeIndex === 0;',
    replace: 'mark.place && mark.placeIndex > 0;',
  },
  {
    name: 'lets a consumer resume leases that were taken away',
    from: 122,
    file: 'server/src/queue/decide-consumer.ts',
    find: '  return { changes, effects, held };\n}\n\nfunction sendAgain',
    replace: '  return { changes, effects, held: [...command.holding] };\n}\n\nfunction sendAgain',
  },
  {
    name: 'forgets the records of what is truncated',
    from: 42,
    file: 'server/src/queue/lease-end.ts',
    find: "queue.name === 'input'\n      ? closingOf(workingMark(",
    replace: "queue.name === 'input' && rest.cause !== 'truncated'\n      ? closingOf(workingMark(",
  },
  {
    name: 'gives a late result a place of its own',
    from: 81,
    file: 'server/src/queue/decide-put.ts',
    find: 'if (known !== undefined) return repeated(sink, known.index);',
    replace: '',
  },
  {
    name: 'serves low priorities first',
    from: 150,
    file: 'server/src/queue/lanes.ts',
    find: 'if ((this.#lanes[middle]?.priority ?? 0) > priority) low = middle + 1;',
    replace: 'if ((this.#lanes[middle]?.priority ?? 0) < priority) low = middle + 1;',
  },
  {
    name: 'delivers again before the back-off is over',
    file: 'server/src/queue/apply-lease.ts',
    find: 'if (change.backoffUntil > now.mono) {',
    replace: 'if (change.backoffUntil > now.mono + 1e9) {',
  },
  {
    name: 'hands one result to two readers',
    file: 'server/src/broker/polls.ts',
    find: "turn.apply({ kind: 'hide', queue: name, index, hidden: true });",
    replace: 'void index;',
  },
  {
    name: 'shows again what a reader has taken',
    file: 'server/src/broker/polls.ts',
    find: 'taken: () => settle(() => this.#delete(queue, indexes)),',
    replace: 'taken: () => settle(show),',
  },
  {
    name: 'begins an epoch again after a restart',
    file: 'server/src/broker/recovery.ts',
    find: "{ kind: 'epoch', epoch: state.epoch + 1 }",
    replace: "{ kind: 'epoch', epoch: Math.max(1, state.epoch) }",
  },
  {
    name: 'takes a message more than the queue may hold',
    file: 'server/src/queue/decide-put.ts',
    find: 'if (used >= capacity) {',
    replace: 'if (used > capacity) {',
  },
  {
    name: 'takes messages after the end of the stream',
    from: 102,
    file: 'server/src/queue/decide-put.ts',
    find: '  if (queue.ended) {',
    replace: '  if (queue.ended && queue.messages.length === 0) {',
  },
  {
    name: 'lets a message go when the first of several equal groups has committed it',
    from: 24,
    file: 'server/src/queue/lease-end.ts',
    find: 'if (other !== group && index >= other.from && !other.ahead.has(index)) return true;',
    replace: 'if (other !== group && index < 0) return true;',
  },
  {
    name: 'counts a call that timed out as done though the model is still at work',
    file: 'server/src/worker/verdict.ts',
    find: 'outcome: timedOut(facts.keepaliveMs, facts), occupies: mayWork }',
    replace: 'outcome: timedOut(facts.keepaliveMs, facts), occupies: false }',
  },
  {
    name: 'keeps the leases of an EAS watcher whose connection is lost',
    from: 20,
    file: 'server/src/http/eas/watches.ts',
    find: "if (this.#end === undefined) this.#release('cut');",
    replace: '',
  },
  {
    name: 'drops dead messages where they are to be kept',
    file: 'server/src/queue/lease-end.ts',
    find: "if (state.settings.deadPolicy === 'Rear') {",
    replace: "if (state.settings.deadPolicy === 'Rear' && mark.bad > 2) {",
  },
  {
    name: 'refuses a repeated put after the end of the stream',
    file: 'server/src/queue/decide-put.ts',
    find: 'isInput ? firstOf(state, command, now) : undefined',
    replace: 'isInput && !queue.ended ? firstOf(state, command, now) : undefined',
  },
  {
    name: 'takes another body under an idempotency key for a new request',
    file: 'server/src/queue/decide-put.ts',
    find: '  if (keyed !== undefined) return keyed;',
    replace: "  if (keyed !== undefined && keyed.reply.kind === 'put') return keyed;",
  },
  {
    name: 'forgets idempotency keys at a restart',
    file: 'server/src/queue/restore.ts',
    find: 'this.#keys.add(hash, row, at);',
    replace: 'void hash;',
  },
  {
    name: 'tells nobody of a request whose end somebody is to be told of',
    file: 'server/src/queue/change.ts',
    find: 'readTerms(meta.terms).callback === undefined',
    replace: 'readTerms(meta.terms).callback !== undefined',
  },
  {
    name: 'gives a suspect company',
    file: 'server/src/queue/choice.ts',
    find: 'if (!isAble(consumer) || consumer.isAlone) return 0;',
    replace: 'if (!isAble(consumer)) return 0;',
  },
  {
    name: 'gives a suspect to a consumer that holds something else',
    file: 'server/src/queue/decide-suspects.ts',
    find: 'const isEmpty = slotsTaken(chosen) === 0;',
    replace: 'const isEmpty = slotsTaken(chosen) < chosen.window;',
  },
  {
    name: 'lets a message live that an instance died with alone',
    file: 'server/src/queue/suspicion.ts',
    find: 'if (isSuspect(mark) && !gotOn) {',
    replace: 'if (mark.deaths > 99) {',
  },
  {
    name: 'convicts a message that had company in both deaths',
    file: 'server/src/queue/suspicion.ts',
    find: 'if (isSuspect(mark) && !gotOn) {',
    replace: 'if (mark.deaths > 0) {',
  },
  {
    name: 'takes a refusal for a sign that the instance lived',
    file: 'server/src/queue/suspicion.ts',
    find: 'if (!end.counted) return undefined;',
    replace: 'if (!end.counted) return isSuspect(mark) ? cleared(end.reason) : undefined;',
  },
];
