// The names of bodies that lie in files beside the tables: chance, and the checksum of what is in
// the file. So whoever has the file, a backup or a check of the folder too, can tell whether it is
// still what it was. Nothing else from outside ever becomes part of a path there.

const form = /^[0-9a-f]{16}-([0-9a-f]{64})$/;

/** Their folder, below the data folder. */
export const bodiesFolder = 'bodies';

/** Whether a text is the name of a body. Everything else is refused before it meets the disk. */
export function isBodyName(text: string): boolean {
  return form.test(text);
}

/** The SHA-256 that a name says, hexadecimal; empty when it is no name. */
export function sumOf(name: string): string {
  return form.exec(name)?.[1] ?? '';
}
