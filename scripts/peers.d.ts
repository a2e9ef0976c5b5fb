// The types of peers.js, for the tests.

export function ensurePeers(): Promise<void>;
export function withoutServices(policy: string, work: () => Promise<void>): Promise<void>;
