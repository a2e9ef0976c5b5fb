// Draws the page images of pages/ from the texts beside them, in Debian's Chromium: several fonts,
// sizes and papers, some askew, noisy or in columns. Run by hand after changing a text or a layout
// (`node examples/ocr/render.js [NAME ...]`); the images are committed, so that nobody else needs
// Chromium or the fonts (Debian: chromium fonts-dejavu fonts-liberation fonts-linuxlibertine
// fonts-lato fonts-noto-core).

import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { chromium } from 'playwright-core';

/**
 * Sizes are in CSS pixels, drawn at `scale`; `skew` in degrees; `noise` is the opacity of the
 * grain; `ink` and `paper` are colours. Grain does not compress: such pages are JPEG.
 */
const layouts = {
  '01-notice': { font: 'DejaVu Sans', size: 30, width: 900, align: 'center', weight: 'bold' },
  '02-postcard': { font: 'Linux Libertine O', size: 25, width: 760, style: 'italic' },
  '03-log-book': { font: 'DejaVu Serif', size: 17, width: 780, paper: '#f4efe0', skew: 0.7 },
  '04-recipe': { font: 'Lato', size: 19, width: 820, noise: 0.22 },
  '05-minutes': { font: 'Liberation Serif', size: 20, width: 860, justify: true },
  '06-rules': { font: 'Liberation Sans', size: 21, width: 800, skew: -1.2, noise: 0.12 },
  '07-gazette': { font: 'Liberation Serif', size: 18, width: 980, columns: 2, justify: true },
  '08-manual': { font: 'Noto Sans', size: 17, width: 860, ink: '#333' },
  '09-invoice': { font: 'DejaVu Sans Mono', size: 17, width: 800 },
  '10-poem': { font: 'Linux Libertine O', size: 24, width: 620, paper: '#f7f3e6', skew: 1.5 },
  '11-letter': { font: 'Noto Serif', size: 18, width: 880, noise: 0.3, skew: -0.6 },
  '12-timetable': { font: 'Lato', size: 22, width: 760, ink: '#fff', paper: '#1f3a5f' },
  '13-weather': { font: 'Liberation Sans Narrow', size: 23, width: 720, noise: 0.18 },
  '14-handbook': { font: 'Noto Serif', size: 17, width: 1040, columns: 2 },
  '15-label': { font: 'DejaVu Sans Mono', size: 24, width: 900, skew: 2, paper: '#d9b98a' },
  '16-bulletin': { font: 'Noto Sans', size: 17, width: 1180, columns: 3, scale: 1.5 },
};

const pages = new URL('./pages/', import.meta.url);
const names = process.argv.length > 2 ? process.argv.slice(2) : Object.keys(layouts);

const browser = await chromium.launch({
  executablePath: '/usr/bin/chromium',
  args: ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run'],
});
try {
  for (const name of names) await draw(name, layouts[name]);
} finally {
  await browser.close();
}

async function draw(name, layout) {
  const text = readFileSync(new URL(`${name}.txt`, pages), 'utf8');
  const tab = await browser.newPage({
    viewport: { width: layout.width, height: 400 },
    deviceScaleFactor: layout.scale ?? 1.6,
  });
  await tab.setContent(html(text, layout));
  await tab.evaluate(() => document.fonts.ready);
  if (layout.noise !== undefined) await tab.evaluate(addGrain, layout.noise);
  const photo = layout.noise !== undefined || layout.paper !== undefined;
  const format = photo ? { type: 'jpeg', quality: 72 } : { type: 'png' };
  const path = fileURLToPath(new URL(`${name}.${photo ? 'jpg' : 'png'}`, pages));
  await tab.screenshot({ path, fullPage: true, ...format });
  await tab.close();
  console.log(path);
}

function html(text, layout) {
  const blocks = text
    .trim()
    .split('\n\n')
    .map((block) => `<p>${block.split('\n').join('<br>')}</p>`);
  const { font, size, columns = 1, skew = 0, ink = '#111', paper = '#fff' } = layout;
  return `<!doctype html><meta charset="utf-8"><style>
    body { margin: 0; background: ${paper}; color: ${ink}; position: relative; }
    main { padding: 56px 64px; font: ${layout.style ?? ''} ${layout.weight ?? ''}
      ${size}px/1.5 '${font}'; columns: ${columns}; column-gap: 56px;
      text-align: ${layout.justify ? 'justify' : (layout.align ?? 'left')};
      transform: rotate(${skew}deg); }
    p { margin: 0 0 0.9em; }
    canvas { position: absolute; inset: 0; mix-blend-mode: hard-light; }
  </style><main>${blocks.join('')}</main>`;
}

// Runs in the page. A small generator of its own keeps the grain the same in every run.
function addGrain(opacity) {
  const canvas = document.createElement('canvas');
  canvas.width = document.body.clientWidth;
  canvas.height = document.body.clientHeight;
  canvas.style.opacity = String(opacity);
  const context = canvas.getContext('2d');
  const image = context.createImageData(canvas.width, canvas.height);
  let seed = 20240517;
  for (let at = 0; at < image.data.length; at += 4) {
    seed = (seed * 1664525 + 1013904223) % 4294967296;
    const grey = Math.floor(seed / 16777216);
    image.data.set([grey, grey, grey, 255], at);
  }
  context.putImageData(image, 0, 0);
  document.body.append(canvas);
}
