// What a model process may know of the server's environment: what it needs to run at all, and none
// of the server's secrets.

export type Environment = Readonly<Record<string, string | undefined>>;

const allowed: ReadonlySet<string> = new Set([
  ...['PATH', 'HOME', 'USER', 'LOGNAME', 'SHELL', 'LANG', 'LANGUAGE', 'TZ', 'TMPDIR'],
  ...['LD_LIBRARY_PATH', 'VIRTUAL_ENV', 'CONDA_PREFIX', 'PYTHONPATH', 'NODE_PATH', 'JAVA_HOME'],
  ...['SSL_CERT_FILE', 'SSL_CERT_DIR', 'XDG_CACHE_HOME', 'XDG_RUNTIME_DIR'],
]);

/** Locale, and what the drivers of graphics cards and number libraries read. */
const allowedStarts = ['LC_', 'CUDA_', 'NVIDIA_', 'ROCR_', 'HIP_', 'OMP_', 'MKL_', 'OPENBLAS_'];

const fallbackPath = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

/** The allow-listed part of the server's environment. */
export function allowedEnvironment(environment: Environment): Readonly<Record<string, string>> {
  const kept: Record<string, string> = { PATH: fallbackPath };
  for (const [name, value] of Object.entries(environment)) {
    if (value === undefined) continue;
    if (allowed.has(name) || allowedStarts.some((start) => name.startsWith(start))) {
      kept[name] = value;
    }
  }
  return kept;
}
