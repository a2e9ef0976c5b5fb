// Models in an object store that checks signatures: read with the right credentials, refused with
// wrong ones, by both kinds of addresses. Bodies of requests are read there in the same way.

import { readFile } from 'node:fs/promises';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { BodyAddresses } from '../../src/blobs/address.ts';
import { systemClock } from '../../src/kernel/clock.ts';
import { ossSettingsOf, s3SettingsOf } from '../../src/kernel/object-store.ts';
import { bytesOf, readAll } from './blobs-world.ts';
import { closedRules, ModelWorld, mebibyte } from './models-world.ts';
import { credentials, hasSwift, region, Swift } from './swift.ts';

const bytes = bytesOf(2 * mebibyte);
/** Its endpoint is the server's own: no service has to allow it. */
const rules = { ...closedRules, buckets: ['models'] };

describe.skipIf(!hasSwift())('models in Swift', () => {
  let swift: Swift;
  let world: ModelWorld;

  beforeAll(async () => {
    swift = await Swift.open();
    await swift.makeBucket('models');
    await swift.makeBucket('others');
    await swift.putObject('/models/credit%20v1/%C3%BC%2B%281%29.pmml', bytes);
    await swift.putObject('/others/a', Buffer.from('secret'));
  });
  afterAll(() => swift.close());

  function environment(secret = credentials.secretAccessKey): Record<string, string> {
    return {
      AWS_ACCESS_KEY_ID: credentials.accessKeyId,
      AWS_SECRET_ACCESS_KEY: secret,
      AWS_REGION: region,
      AWS_ENDPOINT_URL_S3: swift.url,
    };
  }

  beforeEach(async () => {
    const found = environment();
    world = await ModelWorld.open({ s3: s3SettingsOf(found), oss: ossSettingsOf(found) });
  });
  afterEach(() => world.close());

  it('are read with the credentials of the server, and asked for again by their tag', async () => {
    const address = 's3://models/credit v1/ü+(1).pmml';
    const { path } = await world.hold(address, { rules });
    expect((await readFile(path)).equals(bytes)).toBe(true);
    expect(path.endsWith('/ü+(1).pmml')).toBe(true);
    expect((await world.hold(address, { rules })).path).toBe(path);
    const newer = bytesOf(1000, 5);
    await swift.putObject('/models/credit%20v1/%C3%BC%2B%281%29.pmml', newer);
    const next = await world.hold(address, { rules });
    expect((await readFile(next.path)).equals(newer)).toBe(true);
  });

  it('are read by oss:// too, with credentials of either name', async () => {
    const oss = {
      OSS_ACCESS_KEY_ID: credentials.accessKeyId,
      OSS_ACCESS_KEY_SECRET: credentials.secretAccessKey,
      OSS_REGION: region,
      OSS_ENDPOINT: swift.url,
    };
    for (const found of [oss, environment()]) {
      await world.restart({ oss: ossSettingsOf(found) });
      const { path, release } = await world.hold('oss://models/credit v1/ü+(1).pmml', { rules });
      expect((await readFile(path)).length).toBeGreaterThan(0);
      release();
    }
  });

  it('are refused with a wrong secret, and outside of the bucket that is named', async () => {
    const address = 's3://models/credit v1/ü+(1).pmml';
    await world.restart({ s3: s3SettingsOf(environment('wrong')) });
    await expect(world.hold(address, { rules })).rejects.toMatchObject({
      isFinal: true,
      message: expect.stringContaining('answered 403 SignatureDoesNotMatch'),
    });
    await world.restart({ s3: s3SettingsOf(environment()) });
    await expect(world.hold('s3://models/nothing', { rules })).rejects.toMatchObject({
      isFinal: true,
      message: 's3://models/nothing answered 404 NoSuchKey',
    });
    await expect(world.hold('s3://others/a', { rules })).rejects.toThrow('may not be read');
    await world.restart({ s3: s3SettingsOf({}) });
    await expect(world.hold(address, { rules })).rejects.toThrow('AWS_ACCESS_KEY_ID');
  });

  it('goes on from where it was cut, and notices a newer object by itself', async () => {
    await swift.putObject('/models/large', bytes);
    const address = 's3://models/large';
    const leaving = new AbortController();
    const left = world.cache
      .hold(
        { address, checksum: undefined, rules },
        { signal: leaving.signal, progress: () => leaving.abort(new Error('left')) },
      )
      .catch((error: Error) => error.message);
    expect(await left).toBe('left');
    await world.restart({ s3: s3SettingsOf(environment()) });
    const newer = bytesOf(2 * mebibyte, 5);
    // This store answers a part of the new object whatever If-Range says.
    await swift.putObject('/models/large', newer);
    const { path } = await world.hold(address, { rules });
    expect((await readFile(path)).equals(newer)).toBe(true);
  });

  it('give bodies of requests as well', async () => {
    const addresses = (secret?: string): BodyAddresses =>
      new BodyAddresses({ s3: s3SettingsOf(environment(secret)), clock: systemClock });
    const order = { rules, bytesMax: 10 ** 7, signal: new AbortController().signal };
    const { stream } = await addresses().open('s3://models/credit v1/ü+(1).pmml', order);
    expect((await readAll(stream)).length).toBeGreaterThan(0);
    const wrong = addresses('wrong').open('s3://models/credit v1/ü+(1).pmml', order);
    await expect(wrong).rejects.toThrow('answered 403');
  });
});
