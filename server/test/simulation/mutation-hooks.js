// Loader hooks that change one source file on its way into the process, by replacing one exact
// piece of its text. Registered before tsx, so that tsx compiles what they hand on. A process in
// which the file is loaded without holding the text ends with an error.

let mutation;

/** `{ url, find, replace }`: the address of the file and the two pieces of text. */
export function initialize(data) {
  mutation = data;
}

export async function load(url, context, nextLoad) {
  const loaded = await nextLoad(url, context);
  if (url.split('?')[0] !== mutation.url) return loaded;
  const source = Buffer.from(loaded.source).toString();
  if (source.split(mutation.find).length !== 2) {
    throw new Error(`${url} does not hold the text to be replaced exactly once`);
  }
  return { ...loaded, source: source.replace(mutation.find, () => mutation.replace) };
}
