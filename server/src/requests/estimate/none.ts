// Why nothing is said of when a request may start: it depends on what nobody here can know.

import type { WaitFacts } from '../wait-facts.ts';

/** Fewer calls say nothing of how long the next ones take. */
const samplesMin = 8;

/** Why there is no estimate; undefined: there can be one. */
export function whyNone(facts: WaitFacts): string | undefined {
  const { request, queue, servers, observed } = facts;
  if (queue.paused !== '') return `the service ${queue.paused}`;
  if (request.isSuspect) return 'it has to wait for an instance that holds nothing else';
  if (isSinkFull(facts)) return 'that depends on when results are fetched from the full sink';
  if (request.home === 'record' && queue.resultsFull) {
    return 'that depends on when kept results expire and make room';
  }
  if (servers.some((one) => one.state === 'ready' && one.isChoosy)) {
    return 'some consumers take requests with certain tags only';
  }
  if (hasFreeSlot(facts)) return undefined;
  if (observed.overtakers.isBurst) {
    return 'many requests of higher priority are coming, and nobody knows how many more';
  }
  const able = servers.filter(({ state }) => state === 'ready' || state === 'starting');
  if (able.length === 0) return 'no instance works, and none is starting';
  const isReady = able.some(({ state }) => state === 'ready');
  if (!isReady && observed.startUpsMs.length === 0) {
    return 'it is not known yet how long an instance of this service takes to start';
  }
  const { count } = observed.serviceTimes;
  if (count < samplesMin) {
    return `only ${count} calls have ended lately: too few to know how long they take`;
  }
  return undefined;
}

/** Whether results of requests of home `sink` have no place (rule 3). */
export function isSinkFull({ request, queue }: WaitFacts): boolean {
  if (request.home !== 'sink' || queue.sinkEvicts) return false;
  return queue.sinkLength + queue.sinkReserved >= queue.sinkCapacity;
}

/** Whether there is a slot for it and all that come before it. */
export function hasFreeSlot({ request, servers }: WaitFacts): boolean {
  let free = 0;
  for (const server of servers) {
    if (server.state === 'ready') free += Math.max(0, server.window - server.busy);
  }
  return free > request.ahead;
}
