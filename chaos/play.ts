// Plays one scenario from its first start to its last count, and leaves nothing of it behind.

import { pause } from './pause.ts';
import { type Outcome, type Scenario, Stage } from './scenario.ts';
import { World } from './world.ts';

export interface PlayOptions {
  readonly kills: number;
  readonly isQuick: boolean;
  readonly say: (text: string) => void;
  /** Told of each world, so that an interrupted run can end it. */
  readonly opened: (world: World) => void;
  readonly closed: (world: World) => void;
}

const scenarioMs = 15 * 60_000;

/** Never rejects: what goes wrong is a problem of the outcome. */
export async function play(scenario: Scenario, options: PlayOptions): Promise<Outcome> {
  const { name, about } = scenario;
  const startedAt = performance.now();
  const notRun = scenario.missing?.();
  const world = new World(name);
  options.opened(world);
  const stage = new Stage({ world, ...options });
  if (notRun === undefined) {
    try {
      await Promise.race([scenario.run(stage), tooLong()]);
    } catch (error) {
      stage.problem(error instanceof Error ? (error.stack ?? error.message) : String(error));
    }
  }
  await stage.close();
  const problems = stage.allProblems();
  const left = world.offspring();
  const keep = problems.length > 0;
  await world.close({ keep });
  options.closed(world);
  if (keep) stage.note(`its data folder is kept in ${world.folder}`);
  if (left.length > 0) stage.note(`${left.length} model processes were left to be ended`);
  return {
    ...stage.ledger.balance(),
    ...{ name, about, notRun, problems },
    kills: stage.killed,
    faults: stage.faults,
    seconds: (performance.now() - startedAt) / 1000,
    notes: stage.notes,
  };
}

async function tooLong(): Promise<never> {
  await pause(scenarioMs);
  throw new Error(`it did not end within ${scenarioMs / 60_000} minutes`);
}
