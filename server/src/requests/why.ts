// Why a request waits, as a code for programs and one sentence for people. The first reason that
// holds is the one that is told: what would still stand in its way if everything else were well.

import { hasFreeSlot, isSinkFull } from './estimate/none.ts';
import type { WaitReason } from './request.ts';
import type { ServerFacts, WaitFacts } from './wait-facts.ts';

/** Pure; of a request that waits. `until` is set where it surely waits until a known time. */
export function whyWaits(facts: WaitFacts): WaitReason {
  return whyItself(facts) ?? whyQueues(facts) ?? whyInstances(facts) ?? whyOthers(facts);
}

/** It waits for something of its own. */
function whyItself({ now, request, queue }: WaitFacts): WaitReason | undefined {
  const { delayUntil, backoffUntil, isSuspect } = request;
  if (delayUntil > now) {
    const text = `Its submitter asked for a delay until ${timeText(delayUntil)}.`;
    return { code: 'delayed', text, until: delayUntil };
  }
  if (backoffUntil > now) {
    const text = `Its last delivery ended badly; it is tried again at ${timeText(backoffUntil)}.`;
    return { code: 'backing_off', text, until: backoffUntil };
  }
  if (queue.paused !== '') {
    return reason('paused', `Nothing is delivered: the service ${queue.paused}.`);
  }
  if (isSuspect) {
    const text = 'Instances died with it: it waits for one that holds nothing else.';
    return reason('suspect', text);
  }
  return undefined;
}

/** Its result would have no place. */
function whyQueues(facts: WaitFacts): WaitReason | undefined {
  const { request, queue } = facts;
  if (isSinkFull(facts)) {
    const { sinkLength, sinkReserved, sinkCapacity } = queue;
    const kept = sinkReserved === 0 ? '' : ` and keeps ${sinkReserved} places for running requests`;
    const full = `the sink holds ${sinkLength} of ${sinkCapacity}${kept}`;
    return reason('sink_full', `Its result has no place: ${full}; fetch or delete results.`);
  }
  if (request.home === 'record' && queue.resultsFull) {
    const text = 'Its result has no place: the store of kept results is full until some expire.';
    return reason('results_full', text);
  }
  return undefined;
}

/** Nothing serves: what there is of instances, the most hopeful first. */
function whyInstances({ servers }: WaitFacts): WaitReason | undefined {
  if (servers.some(({ state }) => state === 'ready')) return undefined;
  const starting = servers.filter(({ state }) => state === 'starting').length;
  if (starting > 0) {
    const are = starting === 1 ? 'One instance is' : `${starting} instances are`;
    return reason('starting', `No instance is ready yet: ${are.toLowerCase()} starting.`);
  }
  const refusing = of(servers, 'refusing');
  if (refusing.length > 0) {
    const until = Math.min(...refusing.map((one) => one.until));
    const again = until === 0 ? '' : `; the next is asked again at ${timeText(until)}`;
    const who = refusing.length === 1 ? 'The instance refuses' : 'All instances refuse';
    return { code: 'refused', text: `${who} work${again}.`, until };
  }
  const pending = of(servers, 'pending');
  if (pending.length > 0) {
    const who = pending.length === 1 ? 'The instance is' : `${pending.length} instances are`;
    return reason('pending', `${who} not started yet${becauseOf(pending)}.`);
  }
  const unhealthy = of(servers, 'unhealthy');
  if (unhealthy.length > 0) {
    const until = Math.min(...unhealthy.map((one) => one.until));
    const who =
      unhealthy.length === 1 ? 'The instance is' : `All ${unhealthy.length} instances are`;
    return { code: 'unhealthy', text: `${who} not healthy${becauseOf(unhealthy)}.`, until };
  }
  const text = 'The service has no instance, and none is starting.';
  return reason('no_instance', text);
}

/** Slots are taken, or others come first. */
function whyOthers(facts: WaitFacts): WaitReason {
  const { request, servers } = facts;
  if (hasFreeSlot(facts)) return reason('next', 'It is about to be handed out.');
  const ready = of(servers, 'ready');
  const slots = ready.reduce((sum, { window }) => sum + window, 0);
  const free = ready.reduce((sum, { window, busy }) => sum + Math.max(0, window - busy), 0);
  const starting = servers.filter(({ state }) => state === 'starting').length;
  const more =
    starting === 0 ? '' : `; ${starting} more ${starting === 1 ? 'instance is' : 'are'} starting`;
  const taken = slots === 1 ? 'the only slot is taken' : `all ${slots} slots are taken`;
  if (request.ahead === 0) {
    const who =
      ready.length === 1 ? 'the instance works' : `each of ${ready.length} instances works`;
    const text = `It is first in line, and ${who} on as many as it may: ${taken}${more}.`;
    return reason('windows_full', text);
  }
  const isOne = request.ahead === 1;
  const others = isOne ? 'One request comes' : `${request.ahead} requests come`;
  const take = isOne ? 'takes the slot that is free' : 'take the slots that are free';
  return reason('behind', `${others} before it, and ${free > 0 ? take : taken}${more}.`);
}

function reason(code: WaitReason['code'], text: string): WaitReason {
  return { code, text, until: 0 };
}

function of<State extends ServerFacts['state']>(
  servers: readonly ServerFacts[],
  state: State,
): Extract<ServerFacts, { state: State }>[] {
  return servers.filter(
    (one): one is Extract<ServerFacts, { state: State }> => one.state === state,
  );
}

/** In the words of the first that says anything. */
function becauseOf(servers: readonly { readonly reason: string }[]): string {
  const said = servers.find((one) => one.reason !== '')?.reason;
  return said === undefined ? '' : `: ${said}`;
}

function timeText(at: number): string {
  return new Date(at).toISOString();
}
