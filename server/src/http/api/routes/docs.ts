// The page to read and try the API: one document, put together from the files in pages/docs at its
// first reading. Nothing on it comes from elsewhere, and the browser holds it to that.

import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { type Route, route } from '../route.ts';

const folder = new URL('../../../../pages/docs/', import.meta.url);

export function docsRoutes(): readonly Route[] {
  let page: { readonly html: string; readonly policy: string } | undefined;
  return [
    route({
      method: 'GET',
      path: '/v1/docs',
      summary: 'A page to read this description and to try its calls',
      access: 'open',
      answer: { kind: 'text', type: 'text/html', description: 'For a browser.' },
      run: async ({ response }) => {
        page ??= readPage();
        response.setHeader('Content-Security-Policy', page.policy);
        response.setHeader('X-Content-Type-Options', 'nosniff');
        response.setHeader('Referrer-Policy', 'no-referrer');
        return page.html;
      },
    }),
  ];
}

/** Script and style are allowed by their hashes: nothing that finds its way in would run. */
function readPage(): { readonly html: string; readonly policy: string } {
  const [style, script] = ['page.css', 'page.js'].map((name) => `\n${read(name)}`);
  const html = read('page.html')
    .replace('/* page.css */', () => style ?? '')
    .replace('/* page.js */', () => script ?? '');
  const policy = [
    "default-src 'none'",
    `style-src ${hashOf(style ?? '')}`,
    `script-src ${hashOf(script ?? '')}`,
    "connect-src 'self'",
    'img-src data:',
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
  ].join('; ');
  return { html, policy };
}

function read(name: string): string {
  return readFileSync(new URL(name, folder), 'utf8');
}

function hashOf(text: string): string {
  return `'sha256-${createHash('sha256').update(text).digest('base64')}'`;
}
