// The clients of the peers. They are no dependency of Sluice: the benchmark installs them into
// bench/peers/node_modules when they are needed, so they cannot be imported by their types. Each
// adapter says what it uses of its client, and that is checked by the benchmark running at all.

/** A package of bench/peers/node_modules as the adapter describes it. */
export async function load<Module>(name: string): Promise<Module> {
  // Packages of the older kind have everything in `default`, the newer ones beside it.
  const module: { readonly default?: object } = await import(name);
  return { ...module.default, ...module } as Module;
}
