// What a change of each field does to a service that runs. The manual shows this very table.

import { isAtOrBelow } from './changes.ts';

export type EffectKind =
  /** Instances are replaced by new ones. */
  | 'launch'
  /** Taken over while everything goes on. */
  | 'live'
  /** Taken over by the queues while everything goes on; what is in them stays. */
  | 'queue';

export interface Effect {
  readonly kind: EffectKind;
  /** The first entry that fits counts. */
  readonly fields: readonly string[];
  readonly text: string;
  /** What a change does not reach, for the answer's warnings. */
  readonly except?: string;
}

export const effects: readonly Effect[] = [
  {
    kind: 'live',
    fields: ['containers[].health_check', 'health_check'],
    text: 'Checked so from now on.',
  },
  {
    kind: 'launch',
    fields: [
      ...['endpoint', 'containers', 'storage'],
      ...['processor', 'processor_path', 'processor_entry', 'model_path', 'model_entry'],
      ...['model_checksum', 'model_config'],
      ...['metadata.rpc.batching', 'metadata.rpc.max_batch_size'],
      'metadata.rpc.max_batch_timeout',
      ...['metadata.cpu', 'metadata.memory', 'metadata.gpu', 'metadata.shm_size'],
    ],
    text: 'New instances take the place of those that run, by `metadata.rolling_strategy`.',
  },
  {
    kind: 'live',
    fields: ['metadata.instance', 'autoscaler'],
    text: 'Instances are added, or finish their work and leave.',
  },
  {
    kind: 'live',
    fields: ['metadata.rpc', 'request', 'retry', 'release_after'],
    text: 'Holds for the next call to the model.',
  },
  {
    kind: 'live',
    fields: ['requests', 'fetch'],
    text: 'Holds for the next request, and for the next call of those that wait.',
  },
  {
    kind: 'live',
    fields: ['metadata.eas', 'metadata.drain_timeout', 'runtime'],
    text: 'Holds for the next instance that ends.',
  },
  { kind: 'live', fields: ['callbacks'], text: 'Holds for the next callback.' },
  { kind: 'live', fields: ['metadata.rolling_strategy'], text: 'Holds for the next update.' },
  { kind: 'live', fields: ['dockerAuth'], text: 'Used when an image is fetched next.' },
  { kind: 'live', fields: ['model'], text: 'Holds when a model is fetched next.' },
  {
    kind: 'live',
    fields: ['token'],
    text: 'The old token is refused at once. Switching back to an earlier revision keeps it.',
  },
  { kind: 'live', fields: ['metadata', 'name', 'labels', '$schema'], text: 'Shown.' },
  {
    kind: 'queue',
    fields: ['queue.source.expire', 'queue.sink.expire'],
    text: 'Holds for messages that are put from now on.',
    except: 'what waits already keeps the time it was given',
  },
  {
    kind: 'queue',
    fields: ['queue.dead_retention'],
    text: 'Holds for messages that die from now on.',
    except: 'what is dead already keeps the time it was given',
  },
  {
    kind: 'queue',
    fields: [
      ...['queue.memory', 'queue.sink.memory_ratio', 'queue.source.max_length'],
      ...['queue.sink.max_length', 'queue.source.max_payload_size_kb'],
      'queue.sink.max_payload_size_kb',
    ],
    text: 'Holds for the next put; what is in a queue stays, also above a lower limit.',
    except: 'what is in the queues stays, also above a lower limit',
  },
  { kind: 'queue', fields: ['queue'], text: 'Holds at once.' },
];

/** What a change of the field at `path` does: `containers[0].env[2].value` starts new instances. */
export function effectOf(path: string): Effect | undefined {
  const place = path.replaceAll(/\[\d+\]/g, '[]');
  return effects.find(({ fields }) => fields.some((field) => isAtOrBelow(place, field)));
}

/** Whether any of these changes replaces instances. */
export function rollsOut(paths: readonly string[]): boolean {
  return paths.some((path) => effectOf(path)?.kind === 'launch');
}

/** What changes of the queues can't reach, a sentence for each kind. */
export function exceptions(paths: readonly string[]): readonly string[] {
  return effects.flatMap((effect) => {
    if (effect.except === undefined) return [];
    const touched = paths.filter((path) => effectOf(path) === effect);
    return touched.length === 0 ? [] : [`${touched.join(', ')}: ${effect.except}`];
  });
}
