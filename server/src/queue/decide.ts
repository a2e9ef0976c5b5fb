// The rules of one service's queues in one pure function: what a command changes, whom it is told
// to and what is answered. It changes nothing itself.

import {
  type AmendCommand,
  decideAmend,
  decideRedrive,
  decideReported,
  type RedriveCommand,
  type ReportedCommand,
} from './decide-afterwards.ts';
import { type CancelCommand, decideCancel } from './decide-cancel.ts';
import {
  type AttachCommand,
  type DetachCommand,
  decideAttach,
  decideDetach,
  decidePause,
  type PauseCommand,
} from './decide-consumer.ts';
import { type DeliverCommand, decideDeliver } from './decide-deliver.ts';
import {
  type CheckpointCommand,
  type CommitCommand,
  type CommitDeliveryCommand,
  type CompleteCommand,
  decideCheckpoint,
  decideCommit,
  decideCommitDelivery,
  decideComplete,
  decideFreed,
  decideGiveBack,
  decideNegative,
  decideTouch,
  type FreedCommand,
  type GiveBackCommand,
  type NegativeCommand,
  type TouchCommand,
} from './decide-lease.ts';
import { decidePut, type PutCommand } from './decide-put.ts';
import {
  type DeleteCommand,
  decideDelete,
  decideEnd,
  decideHide,
  decideTruncate,
  type EndCommand,
  type HideCommand,
  type TruncateCommand,
} from './decide-remove.ts';
import { decideSweep, type SweepCommand } from './decide-sweep.ts';
import { changing, type Decision } from './decision.ts';
import { decideRecovered, type RecoveredCommand } from './restore.ts';
import type { ServiceSettings } from './settings.ts';
import type { State } from './state.ts';
import type { Chance, Time } from './time.ts';

export interface SettingsCommand {
  readonly kind: 'settings';
  readonly settings: ServiceSettings;
}

export type Command =
  | PutCommand
  | DeliverCommand
  | AttachCommand
  | DetachCommand
  | PauseCommand
  | CommitCommand
  | NegativeCommand
  | CommitDeliveryCommand
  | CompleteCommand
  | GiveBackCommand
  | TouchCommand
  | FreedCommand
  | CheckpointCommand
  | CancelCommand
  | RedriveCommand
  | AmendCommand
  | ReportedCommand
  | DeleteCommand
  | TruncateCommand
  | HideCommand
  | EndCommand
  | SettingsCommand
  | RecoveredCommand
  | SweepCommand;

/** `more` in the answer asks for the same command again, after the changes were applied. */
export function decide(state: State, command: Command, now: Time, chance: Chance): Decision {
  switch (command.kind) {
    case 'put':
      return decidePut(state, command, now);
    case 'deliver':
      return decideDeliver(state, command, now);
    case 'attach':
      return decideAttach(state, command, now);
    case 'detach':
      return decideDetach(state, command, now);
    case 'pause':
      return decidePause(state, command);
    case 'commit':
      return decideCommit(state, command, now);
    case 'negative':
      return decideNegative(state, command, now, chance);
    case 'commitDelivery':
      return decideCommitDelivery(state, command, now);
    case 'complete':
      return decideComplete(state, command, now);
    case 'giveBack':
      return decideGiveBack(state, command, now);
    case 'touch':
      return decideTouch(state, command, now);
    case 'freed':
      return decideFreed(state, command, now);
    case 'checkpoint':
      return decideCheckpoint(state, command, now);
    case 'cancel':
      return decideCancel(state, command, now);
    case 'redrive':
      return decideRedrive(state, command, now);
    case 'amend':
      return decideAmend(state, command);
    case 'reported':
      return decideReported(command);
    case 'delete':
      return decideDelete(state, command, now);
    case 'truncate':
      return decideTruncate(state, command, now);
    case 'hide':
      return decideHide(state, command);
    case 'end':
      return decideEnd(state, command);
    case 'settings':
      return changing([{ kind: 'settings', settings: command.settings }]);
    case 'recovered':
      return decideRecovered(state, now);
    case 'sweep':
      return decideSweep(state, now);
  }
}
