// What is shown of a service's revisions.

import { withoutSecrets } from './changes.ts';
import type { Definition } from './definition.ts';
import { fileOf } from './history.ts';

export interface RevisionView {
  readonly revision: number;
  readonly sourceRevision: number;
  /** Wall clock. */
  readonly at: number;
  readonly changed: readonly string[];
  readonly current: boolean;
  readonly text: string;
  /** Secrets as `***`; undefined: no longer kept. */
  readonly file: Readonly<Record<string, unknown>> | undefined;
}

/** The newest last. */
export function revisionViews(definition: Definition): readonly RevisionView[] {
  return definition.history.map(({ revision, sourceRevision, at, changed, text, failed }) => {
    const file = fileOf(definition, revision);
    return {
      revision,
      sourceRevision,
      at,
      changed,
      current: revision === definition.revision,
      text: failed === undefined ? text : `${text}; failed: ${failed}`,
      file: file === undefined ? undefined : withoutSecrets(file),
    };
  });
}
