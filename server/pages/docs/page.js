// The page that shows the API and lets its reader try it: one fold for each call of the OpenAPI
// document. Everything that comes from a server is put in as text, never as HTML.

const $ = (id) => document.getElementById(id);
const shownMax = 200_000;

/** An element with properties, attributes and children. */
function make(tag, props = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(props)) {
    if (name in element) element[name] = value;
    else element.setAttribute(name, value);
  }
  element.append(...children.filter((child) => child !== undefined));
  return element;
}

async function start() {
  const response = await fetch('openapi.json');
  const api = await response.json();
  $('version').textContent = api.info.version;
  const groups = new Map();
  for (const [path, methods] of Object.entries(api.paths)) {
    for (const [method, call] of Object.entries(methods)) {
      const group = call.tags?.[0] ?? 'Other';
      groups.set(group, [...(groups.get(group) ?? []), foldOf(api, path, method, call)]);
    }
  }
  const sections = [...groups].map(([group, folds]) =>
    make('section', {}, make('h2', { textContent: group }), ...folds),
  );
  $('calls').replaceChildren(...sections);
  $('find').addEventListener('input', () => filter($('find').value));
  $('who').addEventListener('submit', (event) => event.preventDefault());
  const wanted = document.getElementById(location.hash.slice(1));
  if (wanted instanceof HTMLDetailsElement) wanted.open = true;
}

function filter(text) {
  const words = text.toLowerCase().split(/\s+/);
  for (const fold of document.querySelectorAll('details.call')) {
    const said = fold.firstChild.textContent.toLowerCase();
    fold.hidden = !words.every((word) => said.includes(word));
  }
  for (const section of document.querySelectorAll('section')) {
    section.hidden = section.querySelector('details.call:not([hidden])') === null;
  }
}

/** One call, folded; what is in the fold is made when it is opened first. */
function foldOf(api, path, method, call) {
  const fold = make(
    'details',
    { className: 'call', id: call.operationId },
    make(
      'summary',
      {},
      make('span', { className: 'method', textContent: method.toUpperCase() }),
      make('span', { className: 'path', textContent: path }),
      make('span', { className: 'quiet', textContent: call.summary ?? '' }),
    ),
  );
  fold.addEventListener('toggle', () => {
    if (fold.open && fold.childElementCount === 1) fold.append(insideOf(api, path, method, call));
  });
  return fold;
}

function insideOf(api, path, method, call) {
  const answers = Object.entries(call.responses).map(([status, { description, content = {} }]) =>
    make(
      'details',
      {},
      make('summary', {}, make('code', { textContent: status }), ' ', ...marked(description)),
      ...Object.entries(content).map(([type, { schema }]) => shape(api, type, schema)),
    ),
  );
  const body = Object.entries(call.requestBody?.content ?? {});
  return make(
    'div',
    {},
    call.description === undefined ? undefined : make('p', {}, ...marked(call.description)),
    make('h3', { textContent: 'Try it' }),
    formOf(path, method, call, body[0]?.[0]),
    ...(body.length === 0 ? [] : [make('h3', { textContent: 'Body' })]),
    ...body.map(([type, { schema }]) => shape(api, type, schema)),
    make('h3', { textContent: 'Answers' }),
    ...answers,
  );
}

/** Text in which what stands between backticks is code. */
function marked(text) {
  return text
    .split('`')
    .map((part, at) => (at % 2 === 1 ? make('code', { textContent: part }) : part));
}

function shape(api, type, schema) {
  if (type === '*/*') return make('p', { className: 'quiet', textContent: 'Any bytes.' });
  const text = JSON.stringify(resolved(api, schema, []), null, 2);
  return make('div', {}, make('code', { textContent: type }), make('pre', { textContent: text }));
}

/** A schema in which references have become what they refer to. */
function resolved(api, schema, seen) {
  if (schema === null || typeof schema !== 'object') return schema;
  if (Array.isArray(schema)) return schema.map((each) => resolved(api, each, seen));
  const name = schema.$ref?.split('/').at(-1);
  if (name !== undefined) {
    if (seen.includes(name)) return { see: name };
    return resolved(api, api.components.schemas[name], [...seen, name]);
  }
  const entries = Object.entries(schema).map(([key, value]) => [key, resolved(api, value, seen)]);
  return Object.fromEntries(entries);
}

function formOf(path, method, call, bodyType) {
  const inputs = (call.parameters ?? [])
    .filter(({ name, in: where }) => !(where === 'path' && name === 'name'))
    .map((parameter) => {
      const { name, schema = {}, description = schema.description ?? '' } = parameter;
      const input = make('input', { spellcheck: false });
      const hint = make('small', {}, ...marked(description));
      const title = make('span', { textContent: `${name} (${parameter.in})` });
      return { parameter, input, label: make('label', {}, title, input, hint) };
    });
  const isSubmission = call.operationId === 'postServiceRequests';
  const suffix = make('input', { placeholder: 'v1/generate, or nothing' });
  const type = make('input', { value: bodyType === '*/*' ? 'application/json' : (bodyType ?? '') });
  const text = make('textarea', { rows: 5, spellcheck: false });
  const answer = make('div', { className: 'answer', role: 'status' });
  const form = make(
    'form',
    { autocomplete: 'off' },
    ...inputs.map(({ label }) => label),
    ...(isSubmission ? [make('label', {}, 'Path for the model', suffix)] : []),
    ...(bodyType === undefined
      ? []
      : [
          make('label', {}, 'Content-Type', type),
          make('label', { className: 'wide' }, 'Body', text),
        ]),
    make('button', { type: 'submit', textContent: 'Send' }),
  );
  form.addEventListener('submit', (event) => {
    event.preventDefault();
    const given = inputs.filter(({ input }) => input.value !== '');
    const headers = new Headers();
    if ($('token').value !== '') headers.set('Authorization', `Bearer ${$('token').value}`);
    const query = new URLSearchParams();
    let address = path.replace('{name}', encodeURIComponent($('service').value));
    for (const { parameter, input } of given) {
      if (parameter.in === 'header') headers.set(parameter.name, input.value);
      else if (parameter.in === 'query') query.append(parameter.name, input.value);
      else address = address.replace(`{${parameter.name}}`, encodeURIComponent(input.value));
    }
    if (suffix.value !== '') address += `/${suffix.value.replace(/^\/+/, '')}`;
    if (query.size > 0) address += `?${query}`;
    const init = { method: method.toUpperCase(), headers };
    if (bodyType !== undefined && (text.value !== '' || isSubmission)) {
      headers.set('Content-Type', type.value);
      init.body = text.value;
    }
    void send(address, init, answer);
  });
  return make('div', {}, form, answer);
}

/** Sends it, and shows the answer as it comes. */
async function send(address, init, answer) {
  const line = make('p', { textContent: `${init.method} ${address} ...` });
  const body = make('pre', {});
  answer.replaceChildren(line);
  const began = performance.now();
  try {
    const response = await fetch(address, init);
    const took = Math.round(performance.now() - began);
    line.textContent = `${response.status} ${response.statusText} after ${took} ms`;
    line.className = response.ok ? '' : 'bad';
    const headers = [...response.headers].map(([name, value]) => `${name}: ${value}`).join('\n');
    answer.append(make('pre', { textContent: headers }), body);
    const reader = response.body?.pipeThrough(new TextDecoderStream()).getReader();
    for (let shown = ''; reader !== undefined; ) {
      const { done, value } = await reader.read();
      if (done) {
        body.textContent = pretty(shown);
        return;
      }
      shown += value;
      body.textContent = shown.slice(0, shownMax);
      if (shown.length > shownMax) return void (await reader.cancel());
    }
  } catch (error) {
    line.textContent = String(error);
    line.className = 'bad';
  }
}

function pretty(text) {
  try {
    return JSON.stringify(JSON.parse(text), null, 2);
  } catch {
    return text;
  }
}

start().catch((error) => {
  $('calls').replaceChildren(make('p', { className: 'bad', textContent: String(error) }));
});
