// Asking before something is done that can't be undone. A person answers at the terminal, a script
// by its input (`yes | sluice delete demo`); where no answer comes, nothing is done.

import { createInterface } from 'node:readline';
import { CommandError, type Context } from './context.ts';

/** How long the input of a script is waited for: a pipe may stay open without anything in it. */
const pipeMs = 10_000;

/** `usual` is what a person means who only presses Enter; at the end of the input, and to a script
 * that answers nothing, the answer is no. Rejects when it is interrupted. */
export async function confirm(
  context: Context,
  question: string,
  { usual }: { readonly usual: 'yes' | 'no' },
): Promise<boolean> {
  const { output, terminal } = context;
  const { stdin: input } = terminal;
  output.prompt(`${question} ${usual === 'yes' ? '[Y/n]' : '[y/N]'}`);
  const isPerson = input.isTTY === true;
  const answer = await readAnswer(context, isPerson ? undefined : pipeMs);
  // What a person types ends with a line of its own already.
  if (answer === undefined || !isPerson) output.note(answer ?? '');
  if (answer === undefined) return false;
  if (answer.trim() === '') return isPerson && usual === 'yes';
  return /^y(es)?$/i.test(answer.trim());
}

/** One line; undefined: there is none. */
function readAnswer(
  { terminal, clock, interrupted }: Context,
  patienceMs: number | undefined,
): Promise<string | undefined> {
  return new Promise((resolve, reject) => {
    // Not a `terminal`: that would take Ctrl-C and Ctrl-D for itself.
    const dialog = createInterface({ input: terminal.stdin, terminal: false });
    const late =
      patienceMs === undefined ? undefined : clock.after(patienceMs, () => dialog.close());
    const stop = (): void => {
      reject(new CommandError('interrupted'));
      dialog.close();
    };
    // What stands before the end of the input is a line too, and comes before the close.
    dialog.once('line', (line) => {
      resolve(line);
      dialog.close();
    });
    dialog.once('close', () => {
      late?.cancel();
      interrupted.removeEventListener('abort', stop);
      resolve(undefined);
    });
    if (interrupted.aborted) stop();
    else interrupted.addEventListener('abort', stop, { once: true });
  });
}
