// What a machine has for instances, as an operator writes it: `cpu=8,memory=32G,gpu=2`. What is not
// named is measured.

export interface GivenCapacity {
  /** Cores, in thousandths. */
  readonly cpuMillis?: number;
  readonly memoryBytes?: number;
  /** Whole accelerators, numbered from 0. */
  readonly gpus?: number;
}

export type CapacityAnswer =
  | { readonly ok: true; readonly capacity: GivenCapacity }
  | { readonly ok: false; readonly problem: string };

/** No machine has more; a larger figure is a slip. */
const coresMax = 65_536;
const gpusMax = 1024;
const memoryBytesMax = 2 ** 50;

const unitBytes: Readonly<Record<string, number>> = {
  K: 2 ** 10,
  M: 2 ** 20,
  G: 2 ** 30,
  T: 2 ** 40,
};

/** Units of memory are powers of 1,024, `32G` and `32GB` and `32Gi` alike. */
export function parseCapacity(text: string): CapacityAnswer {
  const found = new Map<string, number>();
  for (const part of text.split(',').map((one) => one.trim())) {
    const [, name = '', value = ''] = /^([a-z]+)\s*=\s*(\S+)$/.exec(part) ?? [];
    if (name === '') return refuse(`"${part}" is not NAME=AMOUNT; names are cpu, memory and gpu`);
    if (found.has(name)) return refuse(`${name} is given twice`);
    const amount = amountOf(name, value);
    if (typeof amount === 'string') return refuse(amount);
    found.set(name, amount);
  }
  const [cpu, memory, gpu] = ['cpu', 'memory', 'gpu'].map((name) => found.get(name));
  return {
    ok: true,
    capacity: {
      ...(cpu === undefined ? {} : { cpuMillis: cpu }),
      ...(memory === undefined ? {} : { memoryBytes: memory }),
      ...(gpu === undefined ? {} : { gpus: gpu }),
    },
  };
}

/** The amount, or what is wrong with it. */
function amountOf(name: string, value: string): number | string {
  switch (name) {
    case 'cpu': {
      const cores = /^\d+(\.\d+)?$/.test(value) ? Number(value) : Number.NaN;
      if (cores > 0 && cores <= coresMax) return Math.round(cores * 1000);
      return `cpu is a number of cores such as 8 or 1.5, not "${value}"`;
    }
    case 'memory': {
      const [, number = '', unit = ''] = /^(\d+(?:\.\d+)?)([KMGT])(?:i?B?)$/i.exec(value) ?? [];
      const bytes = Math.round(Number(number) * (unitBytes[unit.toUpperCase()] ?? Number.NaN));
      if (number !== '' && bytes > 0 && bytes <= memoryBytesMax) return bytes;
      return `memory is an amount with its unit such as 32G or 512M, not "${value}"`;
    }
    case 'gpu': {
      const gpus = /^\d+$/.test(value) ? Number(value) : Number.NaN;
      if (gpus <= gpusMax) return gpus;
      return `gpu is a whole number of accelerators, not "${value}"`;
    }
    default:
      return `"${name}" is none of cpu, memory and gpu`;
  }
}

function refuse(problem: string): CapacityAnswer {
  return { ok: false, problem };
}
