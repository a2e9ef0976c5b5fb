// Definitions as the first version wrote them: revisions without files, and no other states than
// live and deleting. Read, never written.

import { z } from 'zod';

const schema = z.looseObject({
  sourceRevision: z.int(),
  history: z.array(z.object({ revision: z.int(), at: z.number(), changed: z.array(z.string()) })),
});

/** The value in today's form; as it is where it can't be read, to be refused as damaged. */
export function fromFormat1(value: unknown): unknown {
  const { success, data } = schema.safeParse(value);
  if (!success) return value;
  const history = data.history.map(({ revision, at, changed }) => ({
    revision,
    // Which launch an earlier revision had was not kept.
    sourceRevision: Math.min(revision, data.sourceRevision),
    at,
    changed,
    text: revision === 1 ? 'created' : 'applied',
    // Nothing ever gave up a launch.
    proven: true,
  }));
  return { ...data, history };
}
