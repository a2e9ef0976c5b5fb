// The one sentence with which a payload over its limit is refused, wherever that is noticed: it
// says the size, the limit, the setting that raises it and the command that applies the setting.

export interface OversizedPayload {
  /** `a payload`, or `a result`: how the sentence begins. */
  readonly what: string;
  readonly bytes: number;
  /** It was cut off there: how long it would have become nobody knows. */
  readonly isCut?: boolean;
  readonly bytesMax: number;
  readonly queue: 'input' | 'inputRear' | 'sink' | 'sinkRear';
}

/** For an error of code `too_large`, or the reason of a result of code 413. */
export function oversizedText(payload: OversizedPayload): string {
  const { what, bytes, bytesMax, queue } = payload;
  const size = payload.isCut === true ? `more than ${bytes} bytes` : `${bytes} bytes`;
  const side = queue === 'input' || queue === 'inputRear' ? 'source' : 'sink';
  return (
    `${what} of ${size} is over the limit of ${bytesMax} bytes: ` +
    `raise queue.${side}.max_payload_size_kb in the service's file and apply it with ` +
    '`sluice apply FILE`'
  );
}
