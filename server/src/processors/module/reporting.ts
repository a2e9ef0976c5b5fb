// What a module can tell of a call that it works on: how far it is, and a checkpoint for the next
// delivery of the same request. Where the caller is no Sluice there is nobody to tell.

/** Part of the context of `predict`. */
export interface Reporting {
  /** `percent`, `stage`, `preview`, `log`. What cannot be told is no failure of the model. */
  report(values: Readonly<Record<string, unknown>>): Promise<void>;
  /** What an earlier delivery of this request has left; undefined: nothing. */
  checkpoint(): Promise<Uint8Array | undefined>;
  /** Durable when it resolves. */
  saveCheckpoint(data: string | Uint8Array): Promise<void>;
}

/** By the headers of a call. */
export function reportingOf(headers: Readonly<Record<string, string>>): Reporting {
  const address = ownAddress(headers['sluice-report-url']);
  const earlier = ownAddress(headers['sluice-checkpoint-url']);
  return {
    report: async (values) => {
      if (address === undefined) return;
      const body = JSON.stringify(values);
      const told = fetch(address, { method: 'POST', headers: json, body });
      await told.then((response) => response.body?.cancel()).catch(() => undefined);
    },
    checkpoint: async () => {
      if (earlier === undefined) return undefined;
      const response = await fetch(earlier);
      if (!response.ok) return undefined;
      return new Uint8Array(await response.arrayBuffer());
    },
    saveCheckpoint: async (data) => {
      if (address === undefined) return;
      const response = await fetch(`${address}/checkpoint`, { method: 'PUT', body: data });
      if (!response.ok) throw new Error(`the checkpoint was not kept: ${await response.text()}`);
    },
  };
}

const json = { 'content-type': 'application/json' };

/** Sluice listens for reports on the machine of its models. Nobody else can name an address. */
function ownAddress(text: string | undefined): string | undefined {
  if (text === undefined || !URL.canParse(text)) return undefined;
  const { protocol, hostname } = new URL(text);
  const isOwn = protocol === 'http:' && ['127.0.0.1', '[::1]', 'localhost'].includes(hostname);
  return isOwn ? text : undefined;
}
