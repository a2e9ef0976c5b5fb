// What the benchmark beside other queues makes of its measurements: ratios, what was not run, the
// file for programs and the document with its plots.

import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { figure } from '../../../bench/figures.ts';
import { RunClock } from '../../../bench/peers/arena.ts';
import { dueAtOf, makeBodies } from '../../../bench/peers/body.ts';
import { chapters } from '../../../bench/peers/chapters.ts';
import { documentFiles } from '../../../bench/peers/document.ts';
import { Findings } from '../../../bench/peers/findings.ts';
import { peers } from '../../../bench/peers/peers.ts';
import { bars, lines } from '../../../bench/peers/plot.ts';
import { NotRun } from '../../../bench/peers/programs.ts';
import { jsonOf, linesOf } from '../../../bench/peers/report.ts';
import { targets, verdictsOf } from '../../../bench/peers/targets.ts';
import { withoutServices } from '../../../scripts/peers.js';

const scale = { rounds: 3, seconds: 1, waiting: 1000 };

function rate(scenario: string, value: number) {
  return [{ scenario, unit: '/s', value, serverUs: 10, clientUs: 20 } as const];
}

/** Three rounds of Sluice, three of BullMQ, and a JetStream that was not there. */
function played(): Findings {
  const findings = new Findings();
  for (const value of [900, 1000, 1200]) {
    findings.add('sluice', rate('take', value));
    findings.add('bullmq-always', rate('take', value / 5));
  }
  findings.notRun('jetstream-always', 'take', new NotRun('nats-server is missing'));
  return findings;
}

describe('the findings', () => {
  it('are medians with their spread, and ratios of medians', () => {
    const found = played().found();
    expect(found.find(({ peer }) => peer === 'bullmq-always')).toMatchObject({
      spread: { min: 180, median: 200, max: 240 },
      ratio: 5,
      serverUs: 10,
    });
  });

  it('have no ratio where Sluice has no figure', () => {
    const findings = new Findings();
    findings.add('postgres', rate('take', 10));
    expect(findings.found()[0]?.ratio).toBeUndefined();
  });

  it('leave out what was found of a peer before it failed, in all parts of the scenario', () => {
    const findings = new Findings();
    findings.add('sluice', rate('consumers/10', 10));
    findings.notRun('sluice', 'consumers', new Error('lost\n  at somewhere'));
    expect(findings.found()).toEqual([]);
    expect(findings.missing()).toEqual([{ peer: 'sluice', scenario: 'consumers', reason: 'lost' }]);
  });

  it('meet a target by their ratio, and none that was not run', () => {
    const findings = played();
    const verdicts = verdictsOf(findings).map(({ what, value, isMet }) => [what, value, isMet]);
    expect(verdicts.slice(0, 3)).toEqual([
      ['`take` against bullmq-always', 5, true],
      ['`take` against jetstream-always', undefined, false],
      ['`take` against redis-streams-always', undefined, false],
    ]);
  });

  it('hold a figure of their own to a bound, and one to another', () => {
    const findings = new Findings();
    const ms = (scenario: string, value: number) => ({ scenario, unit: 'ms' as const, value });
    findings.add('sluice', [ms('half-load/dispatch_p50', 1.5), ms('half-load/dispatch_p99', 9)]);
    findings.add('sluice', [...rate('consumers/1', 100), ...rate('consumers/1000', 85)]);
    findings.add('bullmq-always', rate('consumers/1000', 1000));
    const verdicts = verdictsOf(findings).map(({ what, wanted, value, isMet }) => {
      return `${what} ${wanted}: ${value} ${isMet}`;
    });
    expect(verdicts.slice(3)).toEqual([
      '`half-load/dispatch_p50` <= 2: 1.5 true',
      '`half-load/dispatch_p99` <= 8: 9 false',
      '`consumers/1000` against `consumers/1` >= 0.8: 0.85 true',
      '`backlog/1000000` against `backlog/10000` >= 0.8: undefined false',
    ]);
  });

  it('are listed with what was not run and why', () => {
    const text = linesOf(played()).join('\n');
    expect(text).toContain('take, jetstream-always: not run: nats-server is missing');
    expect(text).toContain('target: `take` against bullmq-always >= 4: 5.0, met');
  });
});

describe('the file for programs', () => {
  it('has the figures of Sluice alone and each peer with its ratio', () => {
    const figures = [figure('dispatch_ms.p99', 'ms', [4, 6])];
    const document = JSON.parse(jsonOf({ findings: played(), figures, scale }));
    expect(document.dispatch_ms.p99).toBe(5);
    expect(document.peers).toContainEqual({
      name: 'bullmq-always',
      scenario: 'take',
      value: 200,
      ratio: 5,
      unit: '/s',
      min: 180,
      max: 240,
      server_us: 10,
      client_us: 20,
    });
    expect(document.peers).toContainEqual({
      name: 'jetstream-always',
      scenario: 'take',
      value: null,
      ratio: null,
      not_run: 'nats-server is missing',
    });
  });
});

describe('the document', () => {
  const findings = played();
  findings.add('sluice', [...rate('consumers/1', 100), ...rate('consumers/200', 90)]);
  findings.add('postgres', rate('consumers/200', 45));
  findings.notRun('pg-boss', 'payload/100', new NotRun('no time'));
  const args = ['--peers', '--document', 'docs'];
  const files = documentFiles({ findings, figures: [], scale, peers, args });
  const text = files.get('performance.md') ?? '';

  it('shows figures, ratios, what was not run, and how it was made', () => {
    expect(text).toContain('| BullMQ, always | 200 | 180 to 240 | 5.0 | 10 + 20 us |');
    expect(text).toContain('- take, jetstream-always: not run: nats-server is missing');
    expect(text).toContain('- payload/100, pg-boss: not run: no time');
    expect(text).toContain('| `take` against jetstream-always | not run | >= 10 | missed |');
    expect(text).toContain('| PostgreSQL, SKIP LOCKED | not run | 45 (2.0) |');
    expect(text).toContain('npm run bench -- --peers --document docs');
  });

  it('has every plot that it shows, and no others', () => {
    const shown = [...text.matchAll(/\]\((performance\/[^)]+)\)/g)].map(([, name]) => name);
    expect([...files.keys()].filter((name) => name.endsWith('.svg'))).toEqual(shown);
    expect(shown).toEqual(['performance/take.svg', 'performance/consumers.svg']);
  });

  it('has a chapter for what a peer can be measured by', () => {
    const known = chapters.map(({ scenario }) => scenario);
    const parts = targets.map(({ scenario }) => scenario.split('/')[0]);
    expect(known).toEqual(expect.arrayContaining(parts));
  });
});

describe('a plot', () => {
  it('draws bars in proportion and escapes what is written', () => {
    const bar = (label: string, value: number) => {
      return { label, value, min: value, max: value, isOwn: false, text: `${value}` };
    };
    const svg = bars('a < b', '', [bar('A & B', 50), bar('C', 100)]);
    const widths = [...svg.matchAll(/<rect x="190"[^>]* width="([\d.]+)"/g)].map(
      ([, width]) => width,
    );
    expect(Number(widths[1])).toBeCloseTo(2 * Number(widths[0]));
    expect(svg).toContain('A &amp; B');
    expect(svg).toContain('<title>a &lt; b</title>');
  });

  it('draws lines from left to right, without points that a logarithm has no place for', () => {
    const points = [0, 10, 1000].map((x) => ({ x, y: 100 }));
    const svg = lines('t', { x: 'x', y: 'y' }, [{ label: 'L', isOwn: true, points }]);
    const xs = [...svg.matchAll(/<circle cx="([\d.]+)"/g)].map(([, x]) => Number(x));
    expect(xs).toHaveLength(2);
    expect(xs[0]).toBeLessThan(xs[1] ?? 0);
    expect(svg).not.toContain('NaN');
  });
});

describe('the clock of a run', () => {
  it('lets nothing begin once the time is used up', () => {
    expect(() => new RunClock({ minutes: 1, steps: 1 }).check()).not.toThrow();
    expect(() => new RunClock({ minutes: 0, steps: 1 }).check()).toThrow(NotRun);
  });

  it('says how far it is', () => {
    const clock = new RunClock({ minutes: 1, steps: 4 });
    expect(clock.step()).toMatch(/^25 %/);
    expect(clock.step(2)).toMatch(/^75 %/);
  });
});

describe('a message', () => {
  it.each(['text', 'bytes'] as const)('as %s has its size and knows when it was due', (form) => {
    const body = makeBodies(form, 1024)(1234.567);
    expect(body).toHaveLength(1024);
    expect(dueAtOf(body)).toBe(1234.567);
  });
});

describe('installing packages', () => {
  it('keeps their services from starting, and leaves what was there before', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'sluice-policy-'));
    const policy = join(folder, 'policy-rc.d');
    try {
      let during = '';
      const look = async () => {
        during = readFileSync(policy, 'utf8');
      };
      await withoutServices(policy, look);
      expect(during).toContain('exit 101');
      expect(existsSync(policy)).toBe(false);
      writeFileSync(policy, 'of somebody else');
      await withoutServices(policy, look);
      expect(during).toBe('of somebody else');
      expect(existsSync(policy)).toBe(true);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});
