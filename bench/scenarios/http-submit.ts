// Submissions over the request API against puts over EAS: the same load on the same server in
// turns. A submission answers more, the request as it stands, and its ratio says what that costs.

import { type Figure, figure } from '../figures.ts';
import { startLoader } from '../loader.ts';
import { explain, measure, type Round, rates, targetOf } from '../measured.ts';
import { service, startServer } from '../sluice-server.ts';
import type { World } from '../world.ts';

const connections = 256;
const putPath = `/api/predict/${service}`;
const submitPath = `/v1/services/${service}/requests`;

/** Finds `http_submit_ratio` and `http_submit_per_s`. */
export async function httpSubmit(world: World): Promise<Figure[]> {
  const { rounds, seconds } = world.scale;
  const loader = startLoader(world);
  const sluice = await startServer(world, { folder: world.folder('http-submit') });
  const target = targetOf(sluice);
  const round = async (path: string): Promise<Round> => {
    const found = await measure(loader, sluice, {
      kind: 'post',
      target,
      path,
      connections,
      seconds,
    });
    await loader.run({ kind: 'empty', target });
    return found;
  };
  const puts: Round[] = [];
  const submissions: Round[] = [];
  // The first pair warms both up.
  for (let at = 0; at <= rounds; at++) {
    const [put, submission] = [await round(putPath), await round(submitPath)];
    if (at === 0) continue;
    puts.push(put);
    submissions.push(submission);
  }
  await Promise.all([loader.stop(), sluice.stop()]);
  const ratios = submissions.map(({ perSecond }, at) => perSecond / (puts[at]?.perSecond ?? 0));
  return [
    figure('http_submit_ratio', '', ratios),
    figure('http_submit_per_s', '/s', rates(submissions)),
    ...explain('http_submit', submissions),
  ];
}
