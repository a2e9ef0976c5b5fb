// `processor`, `model_path` and what stands beside them → the model that a server of Sluice's own
// runs. A processor that there is not keeps instances pending, so that files made for others load
// all the same.

import {
  type InstanceSource,
  type ModelFile,
  type ProcessorSource,
  processorKinds,
} from '../deployment/instances.ts';
import type { MetadataFile, ServiceFile } from './file.ts';
import type { Problem } from './spelling.ts';

type Kind = ProcessorSource['processor'];

const kinds = processorKinds.join(', ');

/** A checksum at the end of an address. */
const fragment = /#sha256=([0-9a-f]{64})$/i;

/** Whether the file declares one. */
export function hasProcessor(file: ServiceFile): boolean {
  return [file.processor, file.processor_path, file.model_path].some((each) => each !== undefined);
}

/** The processor that the file declares; mistakes go to `problems`. */
export function processorSource(file: ServiceFile, problems: Problem[]): InstanceSource {
  const kind = kindOf(file);
  if (kind === undefined) return { kind: 'pending', missing: missing(file) };
  const isProgram = kind === 'node' || kind === 'python';
  const { processor_path: path, processor_entry: programEntry, model_entry: modelEntry } = file;
  const model = modelFile('model_path', file.model_path, file.model_checksum, problems);
  const code = modelFile('processor_path', path, undefined, problems);
  if (model === undefined && code === undefined) {
    const field = isProgram ? 'processor_path' : 'model_path';
    problems.push({ path: field, message: `is required for processor ${kind}` });
  }
  if (!isProgram && code !== undefined) {
    problems.push({ path: 'processor_path', message: `processor ${kind} takes no program` });
  }
  if (isProgram && programEntry !== undefined && modelEntry !== undefined && code === undefined) {
    problems.push({ path: 'model_entry', message: 'is the second entry; give processor_entry' });
  }
  return {
    kind: 'processor',
    processor: kind,
    model,
    code,
    entry: isProgram ? (programEntry ?? modelEntry) : (modelEntry ?? programEntry),
    config: file.model_config,
    batching: batchingOf(file.metadata.rpc),
    window: file.metadata.rpc.worker_threads,
    allow: file.model.allow,
  };
}

/** What is named, or what the ending of a program's file says. */
function kindOf(file: ServiceFile): Kind | undefined {
  const { processor, processor_path: path, processor_entry: entry } = file;
  if (processor !== undefined) return processorKinds.find((each) => each === processor);
  const program = (entry ?? path ?? '').replace(fragment, '');
  if (/\.py$/i.test(program)) return 'python';
  return /\.[cm]?js$/i.test(program) ? 'node' : undefined;
}

function missing({ processor }: ServiceFile): string {
  if (processor === undefined) return `no processor is named: set processor to one of ${kinds}`;
  return (
    `processor ${processor}: this Sluice has ${kinds}; run the model in a server and name that ` +
    'with endpoint, or start it with containers[].command'
  );
}

/** An address, with the checksum that stands at its end or beside it. */
function modelFile(
  path: string,
  address: string | undefined,
  beside: string | undefined,
  problems: Problem[],
): ModelFile | undefined {
  if (address === undefined) {
    if (beside !== undefined)
      problems.push({ path: 'model_checksum', message: 'needs model_path' });
    return undefined;
  }
  const digits = fragment.exec(address)?.[1];
  const atEnd = digits === undefined ? undefined : `sha256:${digits.toLowerCase()}`;
  const checksum = beside?.toLowerCase() ?? atEnd;
  if (atEnd === undefined && address.includes('#sha256=')) {
    problems.push({ path, message: 'must end with #sha256= and 64 hexadecimal digits' });
  }
  if (atEnd !== undefined && checksum !== atEnd) {
    problems.push({ path: 'model_checksum', message: `is another one than at the end of ${path}` });
  }
  return { address: address.replace(fragment, ''), checksum };
}

function batchingOf(rpc: MetadataFile['rpc']): ProcessorSource['batching'] {
  if (!rpc.batching) return undefined;
  return { sizeMax: rpc.max_batch_size, delayMs: rpc.max_batch_timeout };
}
