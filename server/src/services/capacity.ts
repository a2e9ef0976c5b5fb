// How many messages of which size fit a queue. All arithmetic is in whole numbers, so that the
// figures are exact: with the defaults 230,399 messages of 8 KB (test services-capacity).

/** 10 % of the memory is kept free. */
const usableTenths = 9n;
/** Shares are taken in millionths. */
export const wholeShare: number = 1_000_000;

/** A payload and its tags must fit one message of 32 MiB of the EAS watch. */
export const payloadBytesCeiling: number = 31 * 2 ** 20;
/** Indexes and columns are made for no more. */
export const capacityCeiling: number = 2 ** 31 - 1;

/** What a queue may use: memory × 0.9 × share; 4000 MB and a half are 1,887,436,800 bytes. */
export function roomBytes(memoryMb: number, shareMillionths: number): bigint {
  return (
    (BigInt(memoryMb) * 1_048_576n * usableTenths * BigInt(shareMillionths)) /
    (10n * BigInt(wholeShare))
  );
}

/** floor(room ÷ payload) - 1: 1,887,436,800 ÷ 8192 - 1 = 230,399. Below 1: it does not fit. */
export function capacityFor(room: bigint, payloadBytesMax: number): number {
  return Math.min(Number(room / BigInt(payloadBytesMax)) - 1, capacityCeiling);
}

/** The largest payload so that `capacity` messages fit: floor(room ÷ (capacity + 1)). */
export function payloadFor(room: bigint, capacity: number): number {
  return Math.min(Number(room / BigInt(capacity + 1)), payloadBytesCeiling);
}
