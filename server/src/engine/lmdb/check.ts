// A process of its own that looks at a table before anybody opens it in earnest: a file which
// crashes native code crashes this process and not the server. Tells its parent what it found.

import { glance } from './glance.ts';
import { type FolderReport, type VerifyProgress, verify } from './verify.ts';

/** What the parent is told; nothing more comes after `sound`, `damaged` or `report`. */
export type CheckMessage =
  | { readonly kind: 'sound' }
  | { readonly kind: 'damaged'; readonly what: string }
  | { readonly kind: 'progress'; readonly progress: VerifyProgress }
  | { readonly kind: 'report'; readonly report: FolderReport };

/** `glance` takes bounded time, `verify` reads everything. */
export type CheckMode = 'glance' | 'verify';

function tell(message: CheckMessage): void {
  process.send?.(message);
}

try {
  const [mode, folder = ''] = process.argv.slice(2);
  if (mode === 'verify') {
    const report = verify(folder, (progress) => tell({ kind: 'progress', progress }));
    tell({ kind: 'report', report });
  } else {
    glance(folder);
    tell({ kind: 'sound' });
  }
} catch (error) {
  tell({ kind: 'damaged', what: error instanceof Error ? error.message : String(error) });
}
