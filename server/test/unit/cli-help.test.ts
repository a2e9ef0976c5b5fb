// The help of the commands, which is also a page of the manual.

import { expect, it } from 'vitest';
import { commandPage } from '../../../scripts/commands.ts';

const sections = (await commandPage()).split(/^### /m).slice(1);

it('shows every command with an example of its own', () => {
  expect(sections.length).toBeGreaterThan(14);
  for (const section of sections) {
    const name = /^sluice ([\w-]+)/.exec(section)?.[1];
    const examples = /^Examples?[^\n]*:\n([\s\S]*)/m.exec(section)?.[1] ?? '';
    expect(examples, section).toContain(`sluice ${name}`);
  }
});

it('shows defaults and arguments in words', () => {
  for (const section of sections) {
    expect(section).not.toMatch(/\(default: (\{|\[|\d{4,})/);
    expect(section).not.toMatch(/^ {2}[a-z]+$/m);
  }
});
