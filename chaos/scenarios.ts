// Every scenario, in the order of the table.

import type { Scenario } from './scenario.ts';
import { autoDelete } from './scenarios/auto-delete.ts';
import { clockBack } from './scenarios/clock-back.ts';
import { diskFull } from './scenarios/disk-full.ts';
import { easWorker } from './scenarios/eas-worker.ts';
import { instances } from './scenarios/instances.ts';
import { killDeploy } from './scenarios/kill-deploy.ts';
import { killLoad } from './scenarios/kill-load.ts';
import { killRecovery } from './scenarios/kill-recovery.ts';
import { killSpawn } from './scenarios/kill-spawn.ts';
import { killWorkers } from './scenarios/kill-workers.ts';
import { limits } from './scenarios/limits.ts';
import { modelDown } from './scenarios/model-down.ts';
import { network } from './scenarios/network.ts';
import { repeats } from './scenarios/repeats.ts';
import { requests } from './scenarios/requests.ts';
import { secondStart } from './scenarios/second-start.ts';
import { sinkFull } from './scenarios/sink-full.ts';
import { stall } from './scenarios/stall.ts';
import { rollingUpdates } from './scenarios/updates.ts';

export const scenarios: readonly Scenario[] = [
  killLoad,
  killWorkers,
  killRecovery,
  secondStart,
  killDeploy,
  killSpawn,
  autoDelete,
  sinkFull,
  easWorker,
  repeats,
  requests,
  diskFull,
  limits,
  clockBack,
  stall,
  network,
  instances,
  rollingUpdates,
  modelDown,
];
