// `model_config` of an ONNX model: what turns pictures, sound and texts into tensors and what turns
// tensors into answers. Strict: a misspelt name is a mistake, not a silence. docs/onnx.md is its
// manual.

import { z } from 'zod';
import { ModelError } from '../processor.ts';

/** A picture as a tensor. */
export interface ImageConfig {
  /** The input that gets the picture; may be left out where there is one. */
  readonly input?: string | undefined;
  /** In pixels; left out: what the model's own shape says. */
  readonly width?: number | undefined;
  readonly height?: number | undefined;
  /** With `fit: height`: as wide as the picture, between these, a multiple of the step. */
  readonly width_min?: number | undefined;
  readonly width_max?: number | undefined;
  readonly width_step?: number | undefined;
  readonly fit?: 'stretch' | 'contain' | 'cover' | 'height' | undefined;
  readonly anchor?: 'center' | 'start' | undefined;
  readonly filter?: 'nearest' | 'box' | 'bilinear' | 'bicubic' | 'lanczos' | undefined;
  readonly channels?: 'rgb' | 'bgr' | 'gray' | undefined;
  readonly layout?: 'NCHW' | 'NHWC' | 'flat' | undefined;
  readonly invert?: boolean | undefined;
  readonly scale?: number | undefined;
  readonly mean?: number | readonly number[] | undefined;
  readonly std?: number | readonly number[] | undefined;
  /** Pixel value of what the picture does not cover. */
  readonly pad?: number | undefined;
  /** Pixel value behind what is transparent. */
  readonly background?: number | undefined;
}

/** A text as the numbers of its tokens. */
export interface TextConfig {
  /** A file beside the model with one token a line, or the tokens. */
  readonly vocabulary: string | readonly string[];
  readonly lower_case?: boolean | undefined;
  readonly length_max?: number | undefined;
  /** Shorter texts are filled to the longest length. */
  readonly pad_to_max?: boolean | undefined;
  readonly unknown?: string | undefined;
  readonly start?: string | undefined;
  readonly end?: string | undefined;
  readonly padding?: string | undefined;
  readonly ids?: string | undefined;
  readonly mask?: string | undefined;
  readonly types?: string | undefined;
}

/** Sound as a tensor, whole or in windows. */
export interface AudioConfig {
  readonly input?: string | undefined;
  /** Of the model, in samples a second: sound is brought to it. */
  readonly rate: number;
  /** Samples of one run; left out: the whole sound at once. */
  readonly window?: number | undefined;
  /** From the start of one window to that of the next; left out: the window. */
  readonly hop?: number | undefined;
  /** Samples before each window that the model is shown with it; silence at the start. */
  readonly context?: number | undefined;
  /** Inputs that begin as zeros and then get the output named, from window to window. */
  readonly state?: Readonly<Record<string, string>> | undefined;
  /** Longest sound, in seconds. */
  readonly seconds_max?: number | undefined;
}

/** Scores as labels. */
export interface ClassesConfig {
  readonly output?: string | undefined;
  /** A file beside the model with one label a line, or the labels. */
  readonly labels?: string | readonly string[] | undefined;
  /** The output holds logits. */
  readonly softmax?: boolean | undefined;
  /** How many of the best are named. */
  readonly top?: number | undefined;
}

/** Probabilities of characters, step by step, as a text. */
export interface CtcConfig {
  readonly output?: string | undefined;
  /** A file beside the model with one character a line, or the characters. */
  readonly characters: string | readonly string[];
  /** Where the class of no character stands. */
  readonly blank?: 'first' | 'last' | undefined;
  /** A space follows the characters. */
  readonly space?: boolean | undefined;
}

/** Probabilities of speech as spans of time. */
export interface SpeechConfig {
  readonly output?: string | undefined;
  readonly threshold?: number | undefined;
  readonly speech_min_ms?: number | undefined;
  readonly silence_min_ms?: number | undefined;
  readonly pad_ms?: number | undefined;
}

/** All of `model_config`. */
export interface OnnxConfig {
  /** In the addresses of the Open Inference Protocol; left out: the name of the file. */
  readonly name?: string | undefined;
  /** Of one run; left out: one for each core. */
  readonly threads?: number | undefined;
  /** Whether the first axis counts rows; left out: when it is free everywhere. */
  readonly rows?: boolean | undefined;
  /** Inputs that always get this value. */
  readonly constants?: Readonly<Record<string, unknown>> | undefined;
  readonly image?: ImageConfig | undefined;
  readonly text?: TextConfig | undefined;
  readonly audio?: AudioConfig | undefined;
  readonly classes?: ClassesConfig | undefined;
  readonly ctc?: CtcConfig | undefined;
  readonly speech?: SpeechConfig | undefined;
}

const perChannel = z.union([z.number(), z.array(z.number()).min(1).max(4)]);
const side = z.number().int().min(1).max(16_384);

const image: z.ZodType<ImageConfig> = z.strictObject({
  input: z.string().optional(),
  width: side.optional(),
  height: side.optional(),
  width_min: side.optional(),
  width_max: side.optional(),
  width_step: side.optional(),
  fit: z.enum(['stretch', 'contain', 'cover', 'height']).optional(),
  anchor: z.enum(['center', 'start']).optional(),
  filter: z.enum(['nearest', 'box', 'bilinear', 'bicubic', 'lanczos']).optional(),
  channels: z.enum(['rgb', 'bgr', 'gray']).optional(),
  layout: z.enum(['NCHW', 'NHWC', 'flat']).optional(),
  invert: z.boolean().optional(),
  scale: z.number().optional(),
  mean: perChannel.optional(),
  std: perChannel.optional(),
  pad: z.number().min(0).max(255).optional(),
  background: z.number().min(0).max(255).optional(),
});

const text: z.ZodType<TextConfig> = z.strictObject({
  vocabulary: z.union([z.string(), z.array(z.string()).min(1)]),
  lower_case: z.boolean().optional(),
  length_max: z.number().int().min(2).max(65_536).optional(),
  pad_to_max: z.boolean().optional(),
  unknown: z.string().optional(),
  start: z.string().optional(),
  end: z.string().optional(),
  padding: z.string().optional(),
  ids: z.string().optional(),
  mask: z.string().optional(),
  types: z.string().optional(),
});

const audio: z.ZodType<AudioConfig> = z.strictObject({
  input: z.string().optional(),
  rate: z.number().int().min(1000).max(384_000),
  window: z.number().int().min(1).max(10_000_000).optional(),
  hop: z.number().int().min(1).max(10_000_000).optional(),
  context: z.number().int().min(0).max(1_000_000).optional(),
  state: z.record(z.string(), z.string()).optional(),
  seconds_max: z.number().min(0.1).max(86_400).optional(),
});

const classes: z.ZodType<ClassesConfig> = z.strictObject({
  output: z.string().optional(),
  labels: z.union([z.string(), z.array(z.string()).min(1)]).optional(),
  softmax: z.boolean().optional(),
  top: z.number().int().min(1).max(10_000).optional(),
});

const ctc: z.ZodType<CtcConfig> = z.strictObject({
  output: z.string().optional(),
  characters: z.union([z.string(), z.array(z.string()).min(1)]),
  blank: z.enum(['first', 'last']).optional(),
  space: z.boolean().optional(),
});

const speech: z.ZodType<SpeechConfig> = z.strictObject({
  output: z.string().optional(),
  threshold: z.number().min(0).max(1).optional(),
  speech_min_ms: z.number().min(0).max(60_000).optional(),
  silence_min_ms: z.number().min(0).max(60_000).optional(),
  pad_ms: z.number().min(0).max(60_000).optional(),
});

const config: z.ZodType<OnnxConfig> = z
  .strictObject({
    name: z
      .string()
      .regex(/^[\w.-]{1,128}$/)
      .optional(),
    threads: z.number().int().min(1).max(256).optional(),
    rows: z.boolean().optional(),
    constants: z.record(z.string(), z.unknown()).optional(),
    image: image.optional(),
    text: text.optional(),
    audio: audio.optional(),
    classes: classes.optional(),
    ctc: ctc.optional(),
    speech: speech.optional(),
  })
  .refine(({ image, text, audio }) => countOf(image, text, audio) <= 1, {
    message: 'only one of image, text and audio can be given',
  })
  .refine(({ classes, ctc, speech }) => countOf(classes, ctc, speech) <= 1, {
    message: 'only one of classes, ctc and speech can be given',
  })
  .refine(({ speech, audio }) => speech === undefined || audio?.window !== undefined, {
    message: 'speech needs audio with a window',
  });

/** The config checked; ModelError names everything that is wrong with it. */
export function readConfig(value: unknown): OnnxConfig {
  const result = config.safeParse(value ?? {});
  if (result.success) return result.data;
  const mistakes = result.error.issues.map(
    ({ path, message }) => `${['model_config', ...path].join('.')}: ${message}`,
  );
  throw new ModelError(mistakes.join('; '));
}

function countOf(...parts: readonly unknown[]): number {
  return parts.filter((part) => part !== undefined).length;
}
