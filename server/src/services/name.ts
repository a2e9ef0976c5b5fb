// Names of services, as they stand in addresses.

const part = '[A-Za-z0-9][A-Za-z0-9_-]{0,62}';
const pattern = new RegExp(`^${part}(?:\\.${part})?$`);

/** Why `name` can't be a service's name; undefined when it can. */
export function nameProblem(name: string): string | undefined {
  if (pattern.test(name)) return undefined;
  return 'must be up to 63 letters, digits, _ or -, no _ or - first; group.name is possible';
}
