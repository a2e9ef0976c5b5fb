// Requests as a hostile client writes them: mostly right, wrong in one place or another, cut
// anywhere. For comparing two readers of HTTP byte by byte.

import * as fc from 'fast-check';

const eol = '\r\n';

/** Ends of lines that some readers take and others do not. */
const lineEnds = ['\n', '\r', '\r\r\n', '\n\r', ' \r\n', '\r\n ', '\r\n\t', '\0\r\n'];

const methods = ['GET', 'PUT', 'DELETE', 'OPTIONS', 'post', 'POST ', 'POSTX', 'PRI', 'P\0ST', ''];
const targets = [
  '/api/predict/one/sink?a=b&a=c',
  '/api/predict/one?requestId=%41+%20',
  '/api/predict/one/../two',
  '//api/predict/one',
  'http://localhost/api/predict/one',
  'http://elsewhere/api/predict/one',
  '*',
  'api/predict/one',
  '/api/predict/one#frag',
  '/api/predict/one?"<>\\^`{|}',
  '/api/predict/\xe9',
  '/api/predict/one\t',
  '/a b',
  '/\0',
  `/${'x'.repeat(5000)}`,
  '',
];
const versions = [
  'HTTP/1.0',
  'HTTP/1.2',
  'HTTP/2.0',
  'HTTP/0.9',
  'http/1.1',
  'HTTP/1.1 ',
  'HTTP/1',
  '',
];

const plainLines = [
  'Content-Type: image/png',
  'content-type:text/plain',
  'X-Eas-Queueservice-Redis-Uid: u1',
  'Connection: keep-alive',
  'connection: Keep-Alive',
  'Accept: */*',
  'User-Agent: curl/8',
  'Accept-Encoding: gzip, deflate',
  'X-Empty:',
  'X-Empty: ',
  'X-Blanks:  \t a \t b  \t',
  "x!#$%&'*+-.^_`|~9: odd name",
];
// No upgrades: node:http alone loses what comes behind an offer that nobody takes up.
const oddLines = [
  'Content-Length: 0',
  'Content-Length: 5, 5',
  'Content-Length: +5',
  'Content-Length: -1',
  'Content-Length: 0x5',
  'Content-Length: 05',
  'Content-Length: 5 ',
  'Content-Length: 5 5',
  'Content-Length: 5.0',
  'Content-Length:',
  'Content-Length: 99999999999999999999',
  'Content-Length : 5',
  'Content-Length\t: 5',
  ' Content-Length: 5',
  'Content-Length: 5\0',
  'content-length: 3',
  'Transfer-Encoding: chunked',
  'Transfer-Encoding: identity',
  'Transfer-Encoding: gzip, chunked',
  'Transfer-Encoding: chunked, identity',
  'Transfer-Encoding:\tchunked',
  'Transfer-Encoding : chunked',
  'Transfer-Encoding: xchunked',
  'Transfer-Encoding: chunked\0',
  'transfer-encoding: Chunked',
  'Transfer-Encoding:',
  'Connection: close',
  'Connection: close, keep-alive',
  'Connection: upgrade',
  'Keep-Alive: 300',
  'Proxy-Connection: close',
  'Expect: 100-continue',
  'Expect: something-else',
  'Trailer: X-After',
  'TE: trailers',
  'Host: localhost',
  'Host: elsewhere',
  'Set-Cookie: a=b',
  '__proto__: x',
  'constructor: x',
  'No-Colon',
  ': no name',
  'X Blank: x',
  'X-Bell: a\x07b',
  'X-Delete: a\x7fb',
  'X-High: \xff\xfe',
  'X-Folded: a\r\n b',
  'X-Folded: a\r\n\tb',
  'X-Folded:\r\n b',
  'X-Bare: a\nInjected: yes',
  'X-Bare: a\rInjected: yes',
  'X-Null: a\0b',
  `X-Long: ${'y'.repeat(3000)}`,
  `${'n'.repeat(300)}: x`,
  '',
];

/** How the length is told: mostly right. */
type Framing = 'length' | 'chunked' | 'both' | 'none' | 'short' | 'long' | 'twice';

const framing = fc.oneof(
  { weight: 30, arbitrary: fc.constant<Framing>('length') },
  {
    weight: 5,
    arbitrary: fc.constantFrom<Framing>('chunked', 'both', 'none', 'short', 'long', 'twice'),
  },
);

const bodies = fc.oneof(
  fc.constantFrom('', 'hello', '\r\n\r\n', '0\r\n\r\n', '\0\x01\xff', 'x'.repeat(3000)),
  // A body that looks like a request: what is cut wrongly becomes one.
  fc.constant('POST /api/predict/one HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1\r\n\r\n!'),
);

const mostly = <Value>(usual: Value, odd: readonly Value[], weight: number) =>
  fc.oneof(
    { weight, arbitrary: fc.constant(usual) },
    { weight: 1, arbitrary: fc.constantFrom(...odd) },
  );

const lines = fc.oneof(
  { weight: 20, arbitrary: fc.array(fc.constantFrom(...plainLines), { maxLength: 4 }) },
  {
    weight: 4,
    arbitrary: fc.array(fc.constantFrom(...plainLines, ...oddLines), { maxLength: 4 }),
  },
);

/** One request as latin1 text. */
const request: fc.Arbitrary<string> = fc
  .record({
    before: mostly('', ['\r\n', '\n', ' ', '\0', '\r\n\r\n'], 60),
    method: mostly('POST', methods, 40),
    target: mostly('/api/predict/one', targets, 20),
    version: mostly('HTTP/1.1', versions, 60),
    blank: mostly(' ', ['  ', '\t', ''], 90),
    host: mostly('Host: localhost', ['host:localhost', 'Host:', 'HOST: localhost:80', ''], 40),
    lines,
    framing,
    body: bodies,
    end: mostly(eol, lineEnds, 80),
    lineEnd: mostly(eol, lineEnds, 80),
  })
  .map((made) => {
    const { before, method, target, version, blank, host, framing: how, body, end, lineEnd } = made;
    const all = [host, ...made.lines, ...framed(how, body)].filter((line) => line !== '');
    const head = [`${method}${blank}${target}${blank}${version}`, ...all].join(lineEnd);
    return `${before}${head}${lineEnd}${end}${payload(how, body)}`;
  });

function framed(how: Framing, body: string): string[] {
  const length = `Content-Length: ${body.length}`;
  const chunked = 'Transfer-Encoding: chunked';
  switch (how) {
    case 'length':
      return [length];
    case 'chunked':
      return [chunked];
    case 'both':
      return [length, chunked];
    case 'none':
      return [];
    case 'short':
      return [`Content-Length: ${Math.max(0, body.length - 1)}`];
    case 'long':
      return [`Content-Length: ${body.length + 1}`];
    case 'twice':
      return [length, length];
  }
}

function payload(how: Framing, body: string): string {
  if (how !== 'chunked' && how !== 'both') return body;
  const chunk = body === '' ? '' : `${body.length.toString(16)}\r\n${body}\r\n`;
  return `${chunk}0\r\n\r\n`;
}

const nasty = [
  '\0',
  '\r',
  '\n',
  ' ',
  '\t',
  ':',
  ',',
  '\x7f',
  '\x80',
  '\xff',
  '/',
  '0',
  ';',
  '\r\n',
];

interface Changed {
  readonly where: number;
  readonly how: string;
  readonly what: string;
}

/** Bytes that are changed, put in or taken out, anywhere. */
const change: fc.Arbitrary<Changed> = fc.record({
  where: fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }),
  how: fc.constantFrom('replace', 'insert', 'remove'),
  what: fc.constantFrom(...nasty),
});

export interface SentBytes {
  /** As latin1 text. */
  readonly text: string;
  /** Where it is cut, in order. */
  readonly cuts: readonly number[];
}

/** What one connection sends: requests one after another, changed here and there, in pieces. */
export const sentBytes: fc.Arbitrary<SentBytes> = fc
  .record({
    requests: fc.array(request, { minLength: 1, maxLength: 4 }),
    repeats: fc.constantFrom(1, 1, 2),
    changes: fc.oneof(
      { weight: 2, arbitrary: fc.constant<Changed[]>([]) },
      { weight: 1, arbitrary: fc.array(change, { minLength: 1, maxLength: 2 }) },
    ),
    cuts: fc.oneof(
      fc.constant<number[]>([]),
      fc.array(fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }), { maxLength: 6 }),
    ),
  })
  .map(({ requests, repeats, changes, cuts }) => {
    const text = changes.reduce(changed, requests.join('').repeat(repeats));
    const places = cuts.map((cut) => Math.floor(cut * text.length));
    return { text, cuts: places.sort((one, other) => one - other) };
  });

function changed(text: string, { where, how, what }: Changed): string {
  const at = Math.floor(where * text.length);
  const behind = how === 'insert' ? at : at + 1;
  return text.slice(0, at) + (how === 'remove' ? '' : what) + text.slice(behind);
}

/** Every oddity alone in a plain request, with a length beside it and without, one more behind. */
export function eachOddity(): readonly string[] {
  const usual = { line: 'POST /api/predict/one HTTP/1.1', host: 'Host: localhost', eol, end: eol };
  const length = 'Content-Length: 5';
  const write = (lines: readonly string[], made: Partial<typeof usual>): string => {
    const { line, host, eol: lineEnd, end } = { ...usual, ...made };
    const all = [line, host, ...lines].filter((each) => each !== '');
    return `${all.join(lineEnd)}${lineEnd}${end}hello`;
  };
  const firsts = [
    ...[...oddLines, ...plainLines].flatMap((line) => [
      write([line, length], {}),
      write([length, line], {}),
      write([line], {}),
    ]),
    ...methods.map((method) => write([length], { line: `${method} /api/predict/one HTTP/1.1` })),
    ...targets.map((target) => write([length], { line: `POST ${target} HTTP/1.1` })),
    ...versions.map((version) => write([length], { line: `POST /api/predict/one ${version}` })),
    ...lineEnds.flatMap((each) => [write([length], { eol: each }), write([length], { end: each })]),
    ...['', 'Host:', 'host: localhost', 'Host : x'].map((host) => write([length], { host })),
  ];
  return firsts.map((first) => first + write([length], {}));
}
