// Instances of the service: the real worker in the process that serves, with a model server behind
// it. They live with that process, die on their own, are drained, restarted and resized.

import { silentLog } from '../../src/kernel/log.ts';
import type { WorkerSettings } from '../../src/worker/settings.ts';
import { Worker } from '../../src/worker/worker.ts';
import { lingerMsMax, SimModel } from './model.ts';
import type { Play } from './play.ts';
import { serviceName } from './service.ts';
import type { Life } from './stage.ts';

export async function runInstances(play: Play, key: string): Promise<void> {
  const { stage, random } = play;
  let born = 0;
  while (!stage.isOver) {
    const life = await stage.up();
    // A copy that is started anew may have the name of the one before it.
    if (random.chance(0.5)) born += 1;
    const instance = new Instance(play, life, `${key}.${born}`);
    await Promise.race([instance.live(), life.death.catch(() => undefined)]);
    instance.gone();
    await stage.clock.sleep(random.fraction() * 200);
  }
}

class Instance {
  readonly model: SimModel;
  readonly #play: Play;
  readonly #life: Life;
  readonly #worker: Worker;
  readonly #name: string;
  readonly #cutGraceMs: number;
  readonly #killed: Promise<'killed'>;
  #kill: () => void = () => undefined;
  #settings: WorkerSettings;
  #isOver = false;
  #dying: Promise<void> | undefined;

  constructor(play: Play, life: Life, name: string) {
    const { random } = play;
    const window = random.between(1, 3);
    this.#play = play;
    this.#life = life;
    this.#name = name;
    this.#settings = {
      window,
      keepaliveMs: random.pick([0, 60, 300]),
      request: { path: '/', paths: [], method: 'POST', contentType: '' },
      retryStatuses: [],
      releaseAfterMs: lingerMsMax + 100,
    };
    this.#cutGraceMs = random.pick([0, 20]);
    this.#killed = new Promise((resolve) => {
      this.#kill = () => resolve('killed');
    });
    this.model = new SimModel(play, name, window, () => this.#poisoned());
    const { clock, queues } = life;
    this.#worker = new Worker({
      service: serviceName,
      instance: name,
      source: queues,
      model: this.model,
      basePath: '/',
      settings: this.#settings,
      answerBytesMax: () => queues.view('sink').payloadBytesMax,
      cutGraceMs: this.#cutGraceMs,
      clock,
      random: life.random,
      log: silentLog,
    });
  }

  /** From its start to its end; the end of the process ends it in the middle. */
  async live(): Promise<void> {
    const { stage, random } = this.#play;
    stage.note(`instance ${this.#name} starts`);
    this.#worker.start();
    this.#checkHealth();
    while (!stage.isOver && this.#worker.view().lost === undefined) {
      const end = await Promise.race([this.#pause(random.fraction() * 600), this.#killed]);
      if (end === 'killed') return this.#dying;
      if (stage.isOver) break;
      if (stage.isCalm) continue;
      const drawn = random.fraction();
      if (drawn < 0.1) return this.#die();
      if (drawn < 0.2) return this.#drain();
      if (drawn < 0.35) this.#restartModel();
      else if (drawn < 0.5) this.#resize();
    }
    await this.#drain();
  }

  /** Checks begin and end like those of a health check, also while a call hangs. */
  #checkHealth(): void {
    const { stage, random } = this.#play;
    const { clock } = this.#life;
    clock.after(stage.isCalm ? 1_000 : 100 + random.fraction() * 300, () => {
      if (this.#isOver || stage.isOver) return;
      const startedAt = clock.now().mono;
      const isUp = this.model.isUp;
      clock.after(random.fraction() * 20, () => {
        this.#worker.checked(isUp && this.model.isUp, startedAt);
        this.#checkHealth();
      });
    });
  }

  /** The process is gone, and the model with it. */
  gone(): void {
    this.#isOver = true;
    this.model.die();
  }

  async #die(): Promise<void> {
    const { stage, random } = this.#play;
    stage.note(`instance ${this.#name} dies`);
    this.model.die();
    // Its connections are closed before its end is seen.
    await this.#pause(random.fraction() * 10);
    this.#isOver = true;
    await this.#worker.died('killed');
  }

  /** A request ended the model. Where nobody waits for word of a death it comes before the cut. */
  #poisoned(): void {
    if (this.#isOver || this.#dying !== undefined) return;
    this.#play.stage.note(`instance ${this.#name} dies of a request`);
    if (this.#cutGraceMs > 0) this.#dying = this.#die();
    else {
      this.#isOver = true;
      this.#dying = this.#worker.died('killed by a request');
      this.model.die();
    }
    this.#kill();
  }

  /** Ends never when the process has died. */
  #pause(ms: number): Promise<void> {
    return new Promise((resolve) => {
      this.#life.clock.after(ms, resolve);
    });
  }

  async #drain(): Promise<void> {
    const { stage, random } = this.#play;
    stage.note(`instance ${this.#name} is drained`);
    const hurry = new AbortController();
    stage.clock.after(random.fraction() * 1_000, () => hurry.abort());
    await this.#worker.drain(hurry.signal);
    this.#isOver = true;
  }

  #restartModel(): void {
    const { stage, random } = this.#play;
    stage.note(`the model of ${this.#name} restarts`);
    this.model.stop();
    stage.clock.after(random.fraction() * 1_500, () => this.model.start());
  }

  #resize(): void {
    const { stage, random } = this.#play;
    const window = random.between(1, 3);
    stage.note(`the window of ${this.#name} becomes ${window}`);
    this.#settings = { ...this.#settings, window };
    this.model.window = window;
    this.#worker.update(this.#settings);
  }
}
