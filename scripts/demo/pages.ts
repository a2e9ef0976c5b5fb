// The demo's input: the page images of examples/ocr/pages, each with the text that it shows.

import { readdirSync, readFileSync } from 'node:fs';

export interface Page {
  readonly name: string;
  readonly image: Uint8Array;
  readonly contentType: string;
  /** What a perfect reading would answer. */
  readonly text: string;
}

const contentTypes: Readonly<Record<string, string>> = { png: 'image/png', jpg: 'image/jpeg' };

/** All pages, by name. */
export function readPages(folder: URL): readonly Page[] {
  return readdirSync(folder)
    .sort()
    .flatMap((file) => {
      const [name = '', ending = ''] = file.split('.');
      const contentType = contentTypes[ending];
      if (contentType === undefined) return [];
      const image = readFileSync(new URL(file, folder));
      const text = readFileSync(new URL(`${name}.txt`, folder), 'utf8');
      return [{ name, image, contentType, text }];
    });
}
