// How far a pull has come, from what the engine tells layer by layer. Pure.

/** One line of the engine's. */
export interface PullLine {
  readonly id?: string;
  readonly status?: string;
  readonly error?: string;
  readonly progressDetail?: { readonly current?: number; readonly total?: number };
}

interface Layer {
  current: number;
  /** 0: not known yet. */
  total: number;
  isLoaded: boolean;
  isDone: boolean;
}

const begun = /^(Pulling fs layer|Waiting|Downloading|Verifying|Download complete|Extracting)/;

export class PullProgress {
  readonly #layers = new Map<string, Layer>();

  add({ id, status = '', progressDetail = {} }: PullLine): void {
    if (id === undefined) return;
    const isDone = /^(Pull complete|Already exists)/.test(status);
    if (!isDone && !begun.test(status)) return;
    const layer = this.#layer(id);
    const { current = 0, total = 0 } = progressDetail;
    if (status.startsWith('Downloading')) {
      layer.current = current;
      layer.total = Math.max(layer.total, total);
    } else if (isDone || /^(Verifying|Download complete|Extracting)/.test(status)) {
      layer.isLoaded = true;
      // A layer that was here already is never given a size.
      if (layer.total > 0) layer.current = layer.total;
      if (isDone) layer.isDone = true;
    }
  }

  /** "34 of 106 MB (32 %), 1 of 3 layers"; empty while nothing is known. */
  text(): string {
    const layers = [...this.#layers.values()];
    if (layers.length === 0) return '';
    const done = layers.filter(({ isDone }) => isDone).length;
    const count = `${done} of ${layers.length} ${layers.length === 1 ? 'layer' : 'layers'}`;
    const isLoaded = layers.every((layer) => layer.isLoaded);
    if (isLoaded && done < layers.length) return `unpacking, ${count}`;
    const current = layers.reduce((sum, layer) => sum + layer.current, 0);
    const total = layers.reduce((sum, layer) => sum + layer.total, 0);
    if (total === 0) return count;
    // The engine asks for a few layers at a time: the size of the others is not known before.
    const isWhole = layers.every((layer) => layer.isLoaded || layer.total > 0);
    if (!isWhole) return `${megabytes(current)} MB, ${count}`;
    const percent = Math.floor((100 * current) / total);
    return `${megabytes(current)} of ${megabytes(total)} MB (${percent} %), ${count}`;
  }

  #layer(id: string): Layer {
    const known = this.#layers.get(id);
    if (known !== undefined) return known;
    const fresh = { current: 0, total: 0, isLoaded: false, isDone: false };
    this.#layers.set(id, fresh);
    return fresh;
  }
}

function megabytes(bytes: number): string {
  const value = bytes / 1_000_000;
  return value < 10 ? value.toFixed(1) : value.toFixed(0);
}
