// Holds answers of the server to its own OpenAPI document: every status, type and shape has to be
// described there.

import { Ajv2020, type ValidateFunction } from 'ajv/dist/2020.js';

export interface CheckedAnswer {
  readonly method: string;
  /** Path and query. */
  readonly path: string;
  readonly status: number;
  readonly type: string | undefined;
  /** undefined: it goes on for ever, or nobody read it. */
  readonly text: string | undefined;
}

interface Described {
  readonly content?: Readonly<Record<string, unknown>>;
}

interface Operation {
  readonly responses: Readonly<Record<string, Described>>;
}

interface Document {
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>;
}

const submissions = '/v1/services/{name}/requests';

export class AnswerCheck {
  readonly #ajv = new Ajv2020({ strict: false, validateFormats: false, allErrors: true });
  readonly #document: Document;
  readonly #compiled = new Map<string, ValidateFunction>();
  readonly #patterns: readonly { readonly template: string; readonly pattern: RegExp }[];

  constructor(document: unknown) {
    // Its shape is what the tests are about: a wrong one fails them.
    this.#document = document as Document;
    this.#ajv.addSchema({ ...(document as object), $id: 'document' });
    this.#patterns = Object.keys(this.#document.paths)
      .sort((one, other) => parameters(one) - parameters(other))
      .map((template) => ({
        template,
        pattern: new RegExp(`^${template.replaceAll(/\{\w+\}/g, '[^/]+')}/?$`),
      }));
  }

  /** Throws what is not as the document says; answers outside of it are let pass. */
  check(answer: CheckedAnswer): void {
    const found = this.#find(answer);
    if (found === undefined) return;
    const problems = this.#problems(answer, found.template, found.method);
    if (problems.length === 0) return;
    const what = `${answer.method} ${answer.path} answered ${answer.status}`;
    throw new Error(`${what}, not as /openapi.json says: ${problems.join('; ')}`);
  }

  #find({ method, path }: CheckedAnswer): { template: string; method: string } | undefined {
    const plain = path.split('?')[0] ?? '';
    const verb = method === 'HEAD' ? 'get' : method.toLowerCase();
    for (const { template, pattern } of this.#patterns) {
      const knows = this.#document.paths[template]?.[verb] !== undefined;
      if (knows && pattern.test(plain)) return { template, method: verb };
    }
    const isSubmission = verb === 'post' && /^\/v1\/services\/[^/]+\/requests(\/|$)/.test(plain);
    return isSubmission ? { template: submissions, method: verb } : undefined;
  }

  #problems(answer: CheckedAnswer, template: string, method: string): readonly string[] {
    const responses = this.#document.paths[template]?.[method]?.responses ?? {};
    const key = responses[answer.status] === undefined ? 'default' : String(answer.status);
    if (key === 'default' && answer.status < 400) return ['no such status is described'];
    const content = responses[key]?.content ?? {};
    const type = answer.type?.split(';')[0]?.trim() ?? '';
    const isEmpty = answer.method === 'HEAD' || answer.text === '' || answer.text === undefined;
    if (Object.keys(content).length === 0) {
      return isEmpty ? [] : ['it should have no body'];
    }
    // A status may carry bytes of the model and, on the same call, a problem.
    const isProblem = type === 'application/problem+json' && content[type] === undefined;
    const media = content[type] === undefined ? '*/*' : type;
    if (content[media] === undefined) {
      return isProblem ? this.#fits('default', answer, template, method, type) : [`type ${type}`];
    }
    return isEmpty ? [] : this.#fits(key, answer, template, method, media);
  }

  #fits(
    key: string,
    { text = '' }: CheckedAnswer,
    template: string,
    method: string,
    media: string,
  ): readonly string[] {
    if (!/json/.test(media)) return [];
    const place = ['paths', template, method, 'responses', key, 'content', media, 'schema'];
    const pointer = place.map((each) => each.replaceAll('~', '~0').replaceAll('/', '~1')).join('/');
    const validate = this.#validator(`document#/${encodeURI(pointer)}`);
    const values = media.includes('ndjson')
      ? text.split('\n').filter((line) => line !== '')
      : [text];
    return values.flatMap((value) => {
      if (validate(JSON.parse(value))) return [];
      return (validate.errors ?? []).map((error) => `${error.instancePath} ${error.message}`);
    });
  }

  #validator($ref: string): ValidateFunction {
    const known = this.#compiled.get($ref);
    if (known !== undefined) return known;
    const validate = this.#ajv.compile({ $ref });
    this.#compiled.set($ref, validate);
    return validate;
  }
}

/** Addresses without parameters come first: `dead/export` is not `dead/{rearIndex}`. */
function parameters(template: string): number {
  return (template.match(/\{/g) ?? []).length;
}
