// One run: a seed draws the settings, the actors and every choice; faults come until the steps are
// used up; then the faults stop and everything must come to rest.

import { defaultSettings, type ServiceSettings } from '../../src/queue/settings.ts';
import { runInstances } from './instance.ts';
import { operate, strike } from './operator.ts';
import { Oracle } from './oracle.ts';
import type { Play } from './play.ts';
import { poll, watchSink } from './reader.ts';
import { remoteConsume, remoteFetch, remoteSubmit } from './remote.ts';
import { request } from './requester.ts';
import { judgeRest } from './rest.ts';
import { Results } from './results.ts';
import { SeededRandom } from './seeded-random.ts';
import { Stage } from './stage.ts';
import { submit } from './submitter.ts';
import { Trace, Violation } from './trace.ts';
import { Users } from './users.ts';
import { VirtualClock } from './virtual-clock.ts';
import { copy, share, work } from './worker.ts';

export interface RunOptions {
  readonly seed: number;
  /** Callbacks to run before the faults stop. */
  readonly steps: number;
  /** Told every line of the trace. */
  readonly told?: (line: string) => void;
}

export interface RunResult {
  readonly seed: number;
  readonly steps: number;
  readonly puts: number;
  readonly hash: string;
  /** undefined: every rule was kept. */
  readonly violation: string | undefined;
  readonly trace: Trace;
}

/** Longer than any back-off, idle time or connection that is given up. */
const restLimitMs = 600_000;

export async function run({ seed, steps, told }: RunOptions): Promise<RunResult> {
  const random = new SeededRandom(seed);
  const clock = new VirtualClock(random.fork());
  const trace = new Trace(told);
  const stage = new Stage(clock, random.fork(), drawSettings(random.fork()), trace);
  const oracle = new Oracle(stage);
  const results = new Results(stage, oracle);
  stage.judges = { oracle, results };
  const users = new Users(stage, oracle.ledger);
  const play = { stage, oracle, results, users, random: random.fork() };
  let violation: string | undefined;
  try {
    await clock.run(stage.boot());
    const actors = startActors(play);
    await drive(stage, () => clock.steps >= steps);
    stage.calm();
    const isRested = (): boolean => isAtRest(stage) && !actors.submits();
    await drive(stage, isRested, stage.now + restLimitMs);
    await judgeRest(play);
    stage.isOver = true;
    await leave(stage, actors);
  } catch (error) {
    violation = error instanceof Violation ? error.message : describe(error);
    trace.add(stage.now, left(stage));
    stage.isCalm = true;
    stage.isOver = true;
  } finally {
    stage.network.closeAll();
  }
  const puts = oracle.ledger.entries.length;
  return { seed, steps: clock.steps, puts, hash: trace.hash, violation, trace };
}

/** A call that is never answered keeps its actor on the stage. */
async function leave(stage: Stage, actors: ReturnType<typeof startActors>): Promise<void> {
  const left = { all: false };
  void actors.all.then(() => {
    left.all = true;
  });
  const until = stage.now + restLimitMs;
  while (!left.all && (await stage.clock.step(until))) {
    if (stage.failure !== undefined) throw stage.failure;
  }
  if (stage.failure !== undefined) throw stage.failure;
  if (actors.staying.size === 0) return;
  throw new Violation(`a call of ${[...actors.staying].join(', ')} was never answered`);
}

function describe(error: unknown): string {
  return error instanceof Error ? (error.stack ?? error.message) : String(error);
}

/** Everything that may differ between runs but not within one. */
function drawSettings(random: SeededRandom): ServiceSettings {
  return {
    ...defaultSettings,
    // Without a working group all groups are equal.
    declaresInstances: random.chance(0.85),
    source: {
      ...defaultSettings.source,
      capacity: random.pick([5, 30, 500]),
      autoEvict: random.chance(0.1),
      expireMs: random.chance(0.15) ? 2_000 : 0,
    },
    sink: {
      ...defaultSettings.sink,
      capacity: random.pick([1, 4, 200]),
      autoEvict: random.chance(0.1),
    },
    deliveryMax: random.pick([0, 2, 3, 5]),
    idleMs: random.pick([0, 800]),
    resumeMs: 500,
    deadPolicy: random.chance(0.8) ? 'Rear' : 'Drop',
    deadNotice: random.chance(0.8),
  };
}

/** Resolves when all actors have left; `staying` names those that have not. */
function startActors(play: Play): {
  readonly all: Promise<unknown>;
  readonly staying: Set<string>;
  /** Whether anybody may still put something. */
  submits(): boolean;
} {
  const { stage, random } = play;
  const staying = new Set<string>();
  const actors: Promise<void>[] = [];
  const start = (name: string, act: (own: Play) => Promise<void>): void => {
    staying.add(name);
    const acting = act({ ...play, random: random.fork() });
    actors.push(
      acting.then(
        () => void staying.delete(name),
        (error: unknown) => {
          stage.failure ??= error;
        },
      ),
    );
  };
  const some = (
    low: number,
    high: number,
    letter: string,
    act: (own: Play, key: string) => Promise<void>,
  ): void => {
    const count = random.between(low, high);
    for (let nth = 0; nth < count; nth += 1)
      start(`${letter}${nth}`, (own) => act(own, `${letter}${nth}`));
  };
  start('operator', operate);
  start('fate', strike);
  some(1, 3, 's', submit);
  if (play.oracle.groups.isWorked) {
    some(0, 2, 'q', request);
    some(1, 2, 'w', (own, key) => work(own, 'worker', key));
    some(0, 2, 't', (own, key) => work(own, 'stream', key));
    some(0, 2, 'e', (own, key) => work(own, 'eas', key));
    some(0, 2, 'i', runInstances);
    some(0, 2, 'rc', remoteConsume);
  } else {
    some(1, 2, 'ga', share);
    some(0, 2, 'gb', share);
    some(0, 1, 'rb', (own, key) => remoteConsume(own, key, 'b'));
  }
  some(0, 1, 'c', copy);
  some(1, 2, 'p', poll);
  some(0, 1, 'k', watchSink);
  some(0, 1, 'rs', remoteSubmit);
  some(0, 1, 'rf', remoteFetch);
  const submits = (): boolean => [...staying].some((name) => /^(r?s|q)\d/.test(name));
  return { all: Promise.all(actors), staying, submits };
}

async function drive(stage: Stage, isDone: () => boolean, until = Number.MAX_VALUE): Promise<void> {
  while (!isDone()) {
    const went = await stage.clock.step(until);
    if (stage.failure !== undefined) throw stage.failure;
    if (!went) throw new Violation(`rule 14: not every message came to rest: ${left(stage)}`);
  }
}

function left({ queues }: Stage): string {
  if (queues === undefined) return 'no process serves';
  return (['input', 'sink'] as const)
    .map((name) => queues.view(name))
    .map(({ name, firstIndex, waiting, backingOff, leased, reserved }) => {
      const still = `${waiting} wait, ${backingOff} back off`;
      return `${name} from ${firstIndex}: ${still}, ${leased} leased, ${reserved} reserved`;
    })
    .join('; ');
}

function isAtRest(stage: Stage): boolean {
  const { queues } = stage;
  if (queues === undefined) return false;
  return queues.view('input').length === 0 && queues.view('sink').length === 0;
}
