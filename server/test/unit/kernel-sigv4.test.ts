// The signer of S3 addresses against the vectors that AWS publishes: the examples of "Signature
// Calculations for the Authorization Header" in the S3 API reference, and its test suite.

import { expect, it } from 'vitest';
import { encoded, type SignOptions, signedHeaders } from '../../src/kernel/sigv4.ts';

const s3 = {
  credentials: {
    accessKeyId: 'AKIAIOSFODNN7EXAMPLE',
    secretAccessKey: 'wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY',
    sessionToken: undefined,
  },
  region: 'us-east-1',
  service: 's3',
  now: Date.UTC(2013, 4, 24),
};
const suite = {
  ...s3,
  credentials: {
    accessKeyId: 'AKIDEXAMPLE',
    secretAccessKey: 'wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY',
    sessionToken: undefined,
  },
  service: 'service',
  now: Date.UTC(2015, 7, 30, 12, 36),
};
const bucket = 'https://examplebucket.s3.amazonaws.com';

function signature(options: SignOptions): string | undefined {
  return signedHeaders(options).authorization?.split('Signature=')[1];
}

it.each([
  [
    'GET Object',
    `${bucket}/test.txt`,
    { range: 'bytes=0-9' },
    'f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41',
  ],
  [
    'GET Bucket Lifecycle',
    `${bucket}/?lifecycle`,
    {},
    'fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543',
  ],
  [
    'Get Bucket (List Objects)',
    `${bucket}/?max-keys=2&prefix=J`,
    {},
    '34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7',
  ],
])('signs %s as the S3 reference does', (_name, url, headers, expected) => {
  expect(signature({ ...s3, url: new URL(url), headers })).toBe(expected);
});

it('signs PUT Object as the S3 reference does', () => {
  const options = {
    ...s3,
    url: new URL(`${bucket}/test$file.text`),
    method: 'PUT',
    bodySum: '44ce7dd67c959e0d3524ffac1771dfbba87d2b6b4b4e99e42034a8b803f8b072',
    headers: {
      date: 'Fri, 24 May 2013 00:00:00 GMT',
      'x-amz-storage-class': 'REDUCED_REDUNDANCY',
    },
  };
  expect(signature(options)).toBe(
    '98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd',
  );
});

it.each([
  ['get-vanilla', '/', '5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31'],
  [
    'get-vanilla-query-order-key-case',
    '/?Param2=value2&Param1=value1',
    'b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500',
  ],
  ['get-utf8', '/%E1%88%B4', '8318018e0b0f223aa2bbf98705b62bb787dc9c0e678f255a891fd03141be5d85'],
  [
    'get-unreserved',
    '/-._~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz',
    '07ef7494c76fa4850883e2b006601f940f8a34d404d0cfa977f52a65bbf5f24f',
  ],
])('signs %s of the test suite', (_name, path, expected) => {
  const url = new URL(`https://example.amazonaws.com${path}`);
  expect(signature({ ...suite, url })).toBe(expected);
});

it('sends and signs the token of temporary credentials', () => {
  const credentials = { ...s3.credentials, sessionToken: 'the-token' };
  const headers = signedHeaders({ ...s3, credentials, url: new URL(`${bucket}/a`) });
  expect(headers['x-amz-security-token']).toBe('the-token');
  expect(headers.authorization).toContain('x-amz-date;x-amz-security-token,Signature=');
});

it('encodes what AWS encodes', () => {
  expect(encoded("a b+c/d'(e)*!~")).toBe('a%20b%2Bc%2Fd%27%28e%29%2A%21~');
});
